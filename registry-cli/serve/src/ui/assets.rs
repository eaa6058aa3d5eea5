//! The files that pages link to. They are the same for everybody, so everybody may have them.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

use crate::body::{self, Body};

/// A file of the web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    Style,
    Copy,
    Icon,
}

impl Asset {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Style, Self::Copy, Self::Icon].into_iter().find(|asset| asset.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Style => "style.css",
            Self::Copy => "copy.js",
            Self::Icon => "icon.svg",
        }
    }

    pub(super) fn response(self) -> Response<Body> {
        let (content_type, text) = match self {
            Self::Style => ("text/css; charset=utf-8", include_str!("style.css")),
            Self::Copy => ("text/javascript; charset=utf-8", include_str!("copy.js")),
            Self::Icon => ("image/svg+xml", include_str!("icon.svg")),
        };
        let mut response = Response::new(body::full(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // Short, as a newer registry may bring newer files.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

#[cfg(test)]
mod tests {
    /// The value of a colour variable, in the light scheme and in the dark one.
    fn colours(name: &str) -> [u32; 2] {
        let (style, variable) = (include_str!("style.css"), format!("--{name}: #"));
        let values = style.split(&variable).skip(1);
        let values = values.map(|rest| rest.split(';').next().expect("a value"));
        let six = values.map(|hex| match hex.len() {
            3 => hex.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => hex.to_owned(),
        });
        let numbers: Vec<_> =
            six.map(|hex| u32::from_str_radix(&hex, 16).expect("a colour")).collect();
        numbers.try_into().expect("one for each scheme")
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: u32) -> f64 {
        let part = |shift: u32| {
            let value = f64::from((colour >> shift) & 0xff) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }

    #[test]
    fn text_stands_out_in_both_colour_schemes() {
        for (front, least) in [("text", 7.0), ("quiet", 4.5), ("link", 4.5), ("focus", 3.0)] {
            for back in ["ground", "raised"] {
                for (front_colour, back_colour) in colours(front).into_iter().zip(colours(back)) {
                    let (a, b) = (luminance(front_colour), luminance(back_colour));
                    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(contrast >= least, "{front} on {back}: {contrast}");
                }
            }
        }
    }
}
