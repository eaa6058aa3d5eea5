//! Name resolution with a deadline, and with a look at what came out of it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::origin::is_private;

/// A name server that answers later than this is as good as none.
const DEADLINE: Duration = Duration::from_secs(5);
/// Of a host with very many addresses, this many are tried.
const TRIED: usize = 6;

/// Resolves names for connections. One that serves URLs which a server chose refuses private addresses: the check is made
/// here, on what is about to be connected to, because a name can change its address between a check and its use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver {
    pub(crate) public_only: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let public_only = self.public_only;
        Box::pin(async move {
            let addresses = lookup(name.as_str()).await?;
            if public_only && addresses.iter().any(|address| is_private(address.ip())) {
                return Err(ResolveError::Private.into());
            }
            Ok(Box::new(addresses.into_iter().take(TRIED)) as Addrs)
        })
    }
}

/// Whether a name has an address on a private network. A name that cannot be resolved has none.
pub(crate) async fn has_private_address(host: &str) -> bool {
    match lookup(host).await {
        Ok(addresses) => addresses.iter().any(|address| is_private(address.ip())),
        Err(_) => false,
    }
}

async fn lookup(host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    match tokio::time::timeout(DEADLINE, tokio::net::lookup_host((host, 0))).await {
        Err(_) => Err(ResolveError::Temporary(None)),
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) if is_temporary(&error) => Err(ResolveError::Temporary(Some(error))),
        Ok(Err(error)) => Err(ResolveError::NoSuchHost(error)),
    }
}

/// The standard library does not pass on the resolver's code (`EAI_AGAIN`), only its text.
fn is_temporary(error: &io::Error) -> bool {
    const WSATRY_AGAIN: i32 = 11002;
    error.raw_os_error() == Some(WSATRY_AGAIN) || error.to_string().contains("emporary failure")
}

/// Why there is no address to connect to.
#[derive(Debug)]
pub(crate) enum ResolveError {
    NoSuchHost(io::Error),
    Temporary(Option<io::Error>),
    Private,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchHost(cause) | Self::Temporary(Some(cause)) => cause.fmt(f),
            Self::Temporary(None) => f.write_str("the name server did not answer in time"),
            Self::Private => f.write_str("the name resolves to a private address"),
        }
    }
}

impl std::error::Error for ResolveError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_where_only_public_ones_are_wanted() {
        // R07
        let resolve = |public_only| Resolver { public_only }.resolve("localhost".parse().unwrap());
        let Err(error) = resolve(true).await else { panic!("localhost passed for public") };
        assert!(matches!(error.downcast_ref(), Some(ResolveError::Private)), "{error}");
        assert!(resolve(false).await.is_ok_and(|mut addresses| addresses.next().is_some()));
        assert!(has_private_address("localhost").await);
    }

    /// E12
    #[test]
    fn a_failing_name_server_is_told_from_a_missing_name() {
        for (text, want) in [
            ("failed to lookup address information: Temporary failure in name resolution", true),
            ("failed to lookup address information: Name or service not known", false),
        ] {
            assert_eq!(is_temporary(&io::Error::other(text)), want, "{text}");
        }
        assert!(is_temporary(&io::Error::from_raw_os_error(11002)));
    }
}
