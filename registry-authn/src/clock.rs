//! What time it is, as a value.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The system's clock, or one that somebody put in its place.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl Clock {
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.0.as_ref().map_or_else(SystemTime::now, |now| now())
    }

    /// Whether less than `fresh` has passed since `when`. A clock that was set back makes everything old:
    /// how long ago it was is not known then.
    pub(crate) fn is_within(&self, when: SystemTime, fresh: Duration) -> bool {
        self.now().duration_since(when).is_ok_and(|age| age < fresh)
    }
}

impl PartialEq for Clock {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(this), Some(other)) => Arc::ptr_eq(this, other),
            _ => false,
        }
    }
}

impl Eq for Clock {}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(…)" } else { "Clock(system)" })
    }
}
