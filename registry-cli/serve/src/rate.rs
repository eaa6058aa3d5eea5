//! How many requests one client may send.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Clients that are remembered; more than this at once, and those that rest are forgotten.
const CLIENTS: usize = 10_000;

/// A bucket of requests for each address, which fills again within a minute.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_minute: NonZeroU32,
    clients: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimit {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute, clients: Mutex::default() }
    }

    /// Takes one request from a client's bucket; the error is how long to wait for the next one.
    pub(crate) fn take(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let full = f64::from(self.per_minute.get());
        let per_second = full / 60.0;
        let refilled = |bucket: Bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + since * per_second).min(full)
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS && !clients.contains_key(&client) {
            clients.retain(|_, bucket| refilled(*bucket) < full);
            if clients.len() >= CLIENTS {
                clients.clear(); // Under an attack from everywhere, a little more for everybody.
            }
        }
        let bucket = clients.entry(client).or_insert(Bucket { left: full, at: now });
        *bucket = Bucket { left: refilled(*bucket), at: now };
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / per_second));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn a_client_has_its_requests_and_gets_them_back_in_time() {
        let limit = RateLimit::new(NonZeroU32::new(60).expect("not zero"));
        let start = Instant::now();
        for _ in 0..60 {
            assert_eq!(limit.take(client(1), start), Ok(()));
        }
        assert_eq!(limit.take(client(1), start), Err(Duration::from_secs(1)));
        assert_eq!(limit.take(client(2), start), Ok(()), "another client has its own");
        let later = start + Duration::from_millis(1500);
        assert_eq!(limit.take(client(1), later), Ok(()));
        assert!(limit.take(client(1), later).is_err());
        let rested = start + Duration::from_secs(3600);
        for _ in 0..60 {
            assert_eq!(limit.take(client(1), rested), Ok(()));
        }
        assert!(limit.take(client(1), rested).is_err(), "nobody saves up more");
    }

    #[test]
    fn the_number_of_clients_has_a_bound() {
        let limit = RateLimit::new(NonZeroU32::MIN);
        let now = Instant::now();
        for number in (0_u32..).take(CLIENTS + 10) {
            let _ = limit.take(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(limit.clients.lock().expect("not poisoned").len() <= CLIENTS);
    }
}
