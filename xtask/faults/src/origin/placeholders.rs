//! What of a scripted reply is known only when it is asked for; the list is at [`Reply`](super::Reply).

use std::time::{Duration, SystemTime};

use super::request::Request;

/// What placeholders stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Placeholders {
    /// Name and `host:port` of every origin.
    pub(super) hosts: Vec<(String, String)>,
    pub(super) visit: u32,
}

impl Placeholders {
    /// The text with them filled in; what stands for nothing stays as it is.
    pub(super) fn fill(&self, text: &str, request: &Request) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('{') {
            filled.push_str(before);
            let known =
                tail.split_once('}').and_then(|(n, after)| Some((self.value(n, request)?, after)));
            if let Some((value, after)) = known {
                filled.push_str(&value);
                rest = after;
            } else {
                filled.push('{');
                rest = tail;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str, request: &Request) -> Option<String> {
        match name {
            "path" => Some(request.path().to_owned()),
            "query" => Some(request.query().to_owned()),
            "target" => Some(request.target.clone()),
            "body-end" => Some(request.body_length.saturating_sub(1).to_string()),
            "visit" => Some(self.visit.to_string()),
            "now" => Some(httpdate::fmt_http_date(SystemTime::now())),
            _ => match name.strip_prefix("now+") {
                Some(seconds) => {
                    let later = Duration::from_secs(seconds.parse().ok()?);
                    Some(httpdate::fmt_http_date(SystemTime::now() + later))
                }
                None => self.host(name),
            },
        }
    }

    fn host(&self, name: &str) -> Option<String> {
        let host = |name: &str| self.hosts.iter().find(|(key, _)| key == name).map(|(_, h)| h);
        match name.strip_suffix(".port") {
            Some(name) => host(name)?.rsplit(':').next().map(str::to_owned),
            None => host(name).cloned(),
        }
    }
}
