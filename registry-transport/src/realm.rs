//! Which token endpoint may see a credential. A pure function over a registry, its endpoint and the realm it names.

use registry_name::Registry;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::hosts::Hosts;
use crate::origin::{Home, Origin, Refusal, Verdict, judge};
use crate::redact::RedactedUrl;

/// What may be done with a token realm that a registry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It may see the credential.
    Trusted,
    /// It may be asked, as anybody.
    Anonymous,
    /// It is not asked.
    Refused(Refusal),
}

/// The error for a realm that is not asked.
pub(crate) fn refused(realm: &Url, refusal: Refusal) -> Error {
    let realm = RedactedUrl::from(realm);
    let what = format!("the registry's token endpoint {realm} is not asked: {refusal}");
    Error::new(ErrorKind::Refused, what)
}

/// Endpoints and the token services of the same operator under another domain.
const PAIRS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.hub.docker.com", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// Judges a realm. It is trusted on the registry's own host name (any port, never from https down to http), at the same
/// registrable domain over https, in a known pair, or where the hosts' configuration says so. A strict configuration leaves
/// the first and the last.
pub(crate) fn judge_realm(registry: &Registry, home: &Home, hosts: &Hosts, realm: &Url) -> Trust {
    if let Verdict::Refuse(refusal) = judge(home, realm) {
        return Trust::Refused(refusal);
    }
    let Some(origin) = Origin::of(realm) else {
        return Trust::Refused(Refusal::Scheme);
    };
    let (ours, theirs) = (home.origin.host(), origin.host());
    let both_tls = home.origin.is_tls() && origin.is_tls();
    let trusted = ours == theirs
        || hosts.trusts_realm(registry, theirs)
        || (both_tls && !hosts.has_strict_realms() && same_operator(ours, theirs));
    if trusted { Trust::Trusted } else { Trust::Anonymous }
}

fn same_operator(ours: &str, theirs: &str) -> bool {
    PAIRS.contains(&(ours, theirs)) || same_domain(ours, theirs)
}

/// Whether two names were registered by the same party, by the public suffix list. Addresses never were.
fn same_domain(a: &str, b: &str) -> bool {
    let domain = |host| {
        let domain = psl::domain(str::as_bytes(host))?;
        domain.suffix().is_known().then(|| domain.as_bytes())
    };
    match (domain(a), domain(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(registry: &str, realm: &str) -> Trust {
        trust_by(Hosts::default(), registry, realm)
    }

    fn trust_by(hosts: Hosts, registry: &str, realm: &str) -> Trust {
        let hosts = hosts
            .plain_http("registry.plain.example".parse().unwrap())
            .trust_realm("registry.example.com".parse().unwrap(), "Login.Example.net");
        let registry: Registry = registry.parse().unwrap();
        let endpoint = hosts.endpoint(&registry).unwrap();
        let local = crate::origin::is_private_host(&endpoint);
        let home = Home { origin: Origin::of(&endpoint).unwrap(), local };
        judge_realm(&registry, &home, &hosts, &realm.parse().unwrap())
    }

    #[test]
    fn a_realm_is_trusted_refused_or_asked_as_anybody() {
        // A06, A07, A08, A09
        use Refusal::{Downgrade, PrivateAddress, Scheme, UserInformation};
        use Trust::{Anonymous, Refused, Trusted};
        for (registry, realm, want) in [
            ("docker.io", "https://auth.docker.io/token", Trusted),
            ("ghcr.io", "https://ghcr.io/token", Trusted),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth", Trusted),
            ("registry.hub.docker.com", "https://auth.docker.io/token", Trusted),
            ("registry.example.com", "https://registry.example.com:8443/token", Trusted),
            ("registry.example.com", "https://auth.example.com/token", Trusted),
            ("registry.example.com", "https://login.example.net/token", Trusted),
            ("registry.example.co.uk", "https://other.co.uk/token", Anonymous),
            ("one.github.io", "https://two.github.io/token", Anonymous),
            ("other.example.com", "https://login.example.net/token", Anonymous),
            ("registry.example.com", "https://evil.example/token", Anonymous),
            ("registry.example.com", "https://example.com.evil.example/token", Anonymous),
            ("8.8.8.8", "https://9.8.8.8/token", Anonymous),
            ("registry.example.com", "http://registry.example.com/token", Refused(Downgrade)),
            ("registry.example.com", "http://auth.example.com/token", Refused(Downgrade)),
            ("registry.example.com", "https://127.0.0.1/token", Refused(PrivateAddress)),
            ("registry.example.com", "https://localhost/token", Refused(PrivateAddress)),
            ("registry.example.com", "https://2130706433/token", Refused(PrivateAddress)),
            ("registry.example.com", "https://169.254.169.254/token", Refused(PrivateAddress)),
            ("registry.example.com", "https://u:p@auth.example.com/", Refused(UserInformation)),
            ("registry.example.com", "file:///etc/passwd", Refused(Scheme)),
            ("registry.example.com", "ftp://registry.example.com/", Refused(Scheme)),
            ("localhost:5000", "http://localhost:5001/token", Trusted),
            ("localhost:5000", "http://127.0.0.1:5001/token", Anonymous),
            ("127.0.0.1:5000", "http://127.0.0.1:5001/token", Trusted),
            ("registry.plain.example", "http://registry.plain.example:81/token", Trusted),
            ("registry.plain.example", "http://auth.plain.example/token", Anonymous),
            ("registry.plain.example", "https://auth.plain.example/token", Anonymous),
        ] {
            assert_eq!(trust(registry, realm), want, "{registry} names {realm}");
        }
    }

    #[test]
    fn a_strict_configuration_trusts_the_same_host_and_what_it_was_told() {
        // A08
        use Trust::{Anonymous, Trusted};
        for (registry, realm, want) in [
            ("ghcr.io", "https://ghcr.io/token", Trusted),
            ("registry.example.com", "https://registry.example.com:8443/token", Trusted),
            ("registry.example.com", "https://login.example.net/token", Trusted),
            ("docker.io", "https://auth.docker.io/token", Anonymous),
            ("registry.hub.docker.com", "https://auth.docker.io/token", Anonymous),
            ("registry.example.com", "https://auth.example.com/token", Anonymous),
        ] {
            let strict = Hosts::default().strict_realms();
            assert_eq!(trust_by(strict, registry, realm), want, "{registry} names {realm}");
        }
    }
}
