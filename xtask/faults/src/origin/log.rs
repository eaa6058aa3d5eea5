//! What an origin saw: every request, and where a secret turned up that had no business there.

use std::time::Instant;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::request::{Request, decode};
use super::script::glob;

/// Every request of one origin, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The requests.
    pub seen: Vec<Seen>,
}

/// One request, and what became of it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its head had arrived.
    pub at: Instant,
    /// The request; of its body only the first MiB is kept here.
    pub request: Request,
    /// The status that was written, or 0 when no response head was.
    pub status: u16,
    /// How many body bytes were handed to the socket.
    pub sent: u64,
}

/// A place where a canary was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Method and target of the request.
    pub request: String,
    /// `target`, `body`, or the header's name.
    pub place: String,
    /// Which canary it was.
    pub canary: String,
}

impl Log {
    /// The requests of a method and path; in both, `*` stands for any text.
    pub fn requests(&self, method: &str, path: &str) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| {
            glob(method, &seen.request.method) && glob(path, seen.request.path())
        })
    }

    /// How many requests of a method and path there were.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.requests(method, path).count()
    }

    /// Everywhere one of these canaries appears: as it is, percent-encoded, or inside base64 (as in Basic).
    pub fn leaks(&self, canaries: &[&str]) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for Seen { request, .. } in &self.seen {
            let head = [("target", request.target.as_str())];
            let headers =
                request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let body = String::from_utf8_lossy(&request.body);
            let texts = head.into_iter().chain(headers).chain([("body", &*body)]);
            for (place, text) in texts {
                for canary in canaries.iter().filter(|canary| holds(text, canary)) {
                    leaks.push(Leak {
                        request: format!("{} {}", request.method, request.target),
                        place: place.to_owned(),
                        canary: (*canary).to_owned(),
                    });
                }
            }
        }
        leaks
    }
}

/// Whether `text` holds `canary`, also when it was encoded on the way.
pub(crate) fn holds(text: &str, canary: &str) -> bool {
    text.contains(canary)
        || decode(text).contains(canary)
        || text
            .split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c)))
            .filter(|word| word.len() >= 8)
            .any(|word| base64_text(word).contains(canary))
}

fn base64_text(word: &str) -> String {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet =
        if word.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let decoded = GeneralPurpose::new(alphabet, lenient).decode(word).unwrap_or_default();
    String::from_utf8_lossy(&decoded).into_owned()
}
