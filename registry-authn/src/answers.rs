//! What credential helpers said, for a while.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::helper::Helper;

/// How long an answer is used before it is asked for again.
pub(crate) const FRESH: Duration = Duration::from_secs(60);

/// The answers of the helpers of one environment.
pub(crate) struct Answers {
    environment: Environment,
    known: Mutex<HashMap<Question, Arc<tokio::sync::Mutex<Option<Answer>>>>>,
}

/// A helper's name and what it is asked for.
type Question = (String, String);
type Answer = (SystemTime, Option<Credential>);

impl Answers {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self { environment: environment.clone(), known: Mutex::default() }
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Asks a helper, or remembers what it said; never twice at once for the same.
    pub(crate) async fn ask(&self, name: &str, server: &str) -> Result<Option<Credential>, Error> {
        let question = (name.to_owned(), server.to_owned());
        let slot = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(question).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let clock = self.environment.time();
        if let Some((when, credential)) = &*slot
            && clock.is_within(*when, FRESH)
        {
            return Ok(credential.clone());
        }
        let credential = Helper::new(name, &self.environment)?.get(server).await?;
        *slot = Some((clock.now(), credential.clone()));
        Ok(credential)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}
