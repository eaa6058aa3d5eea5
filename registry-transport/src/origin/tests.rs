use super::*;

fn home(url: &str) -> Home {
    let url: Url = url.parse().unwrap();
    Home { origin: Origin::of(&url).unwrap(), local: is_private_host(&url) }
}

#[test]
fn where_a_server_may_send_us_and_what_goes_along() {
    // R01, R02, R04, R07
    use Refusal::{Downgrade, PrivateAddress, Scheme, UserInformation};
    use Verdict::{Keep, Refuse, Strip};
    let public = "https://registry.example.com/";
    let plain = "http://registry.example.com/";
    let local = "http://localhost:5000/";
    for (from, to, want) in [
        (public, "https://registry.example.com/v2/", Keep),
        (public, "https://REGISTRY.example.com:443/v2/", Keep),
        (public, "https://registry.example.com./v2/", Keep),
        (public, "https://registry.example.com:8443/", Strip),
        (public, "https://sub.registry.example.com/", Strip),
        (public, "https://example.com/", Strip),
        (public, "https://storage.example.net/x?sig=1", Strip),
        (public, "https://8.8.8.8/", Strip),
        (public, "http://registry.example.com/", Refuse(Downgrade)),
        (public, "http://storage.example.net/", Refuse(Downgrade)),
        (public, "ftp://registry.example.com/", Refuse(Scheme)),
        (public, "file:///etc/passwd", Refuse(Scheme)),
        (public, "https://./x", Refuse(Scheme)),
        (public, "https://registry.example.com../x", Refuse(Scheme)),
        (public, "https://a..example.com/x", Refuse(Scheme)),
        (public, "data:text/plain,x", Refuse(Scheme)),
        (public, "https://registry.example.com@evil.example/", Refuse(UserInformation)),
        (public, "https://user:pw@registry.example.com/", Refuse(UserInformation)),
        (public, "https://127.0.0.1/", Refuse(PrivateAddress)),
        (public, "https://127.1/", Refuse(PrivateAddress)),
        (public, "https://2130706433/", Refuse(PrivateAddress)),
        (public, "https://0x7f.1/", Refuse(PrivateAddress)),
        (public, "https://10.0.0.1/", Refuse(PrivateAddress)),
        (public, "https://169.254.169.254/latest/meta-data", Refuse(PrivateAddress)),
        (public, "https://[::1]/", Refuse(PrivateAddress)),
        (public, "https://[fd00:ec2::254]/", Refuse(PrivateAddress)),
        (public, "https://[::ffff:10.0.0.1]/", Refuse(PrivateAddress)),
        (public, "https://0.0.0.0/", Refuse(PrivateAddress)),
        (public, "https://localhost/", Refuse(PrivateAddress)),
        (public, "https://a.localhost./", Refuse(PrivateAddress)),
        (plain, "http://registry.example.com:80/v2/", Keep),
        (plain, "https://registry.example.com/", Strip),
        (plain, "http://storage.example.net/", Strip),
        (plain, "http://10.0.0.1/", Refuse(PrivateAddress)),
        (local, "http://127.0.0.1:5000/", Strip),
        (local, "http://localhost:5001/", Strip),
        (local, "http://10.0.0.1/", Strip),
        ("https://10.0.0.1/", "https://10.0.0.2/", Strip),
        ("https://10.0.0.1/", "http://10.0.0.1/", Refuse(Downgrade)),
    ] {
        assert_eq!(judge(&home(from), &to.parse().unwrap()), want, "{from} sends us to {to}");
    }
}

#[test]
fn an_origin_is_printed_without_its_default_port() {
    for (url, want) in [
        ("https://Example.com:443/x?y", "https://example.com"),
        ("http://example.com:80/", "http://example.com"),
        ("https://example.com:80/", "https://example.com:80"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
    ] {
        assert_eq!(Origin::of(&url.parse().unwrap()).unwrap().to_string(), want);
    }
}
