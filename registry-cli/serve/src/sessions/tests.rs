use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use registry_name::Algorithm;

use super::{Bounds, Sessions, Writer};
use crate::hash;
use crate::name::Name;
use crate::store::Memory;

const IDLE: Duration = Duration::from_secs(60);

fn body(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_writer_that_was_replaced_can_do_nothing_more() {
    let sessions = Sessions::new(Arc::new(Memory::default()), Bounds::default());
    let name = Name::parse("a").expect("a name");
    let session = sessions.begin(&name, Algorithm::Sha256).await.expect("a session");
    let mut old = Writer::claim(&session);
    old.append(&mut body("ab"), None, IDLE).await.expect("it has the session");
    let mut new = Writer::claim(&session);

    assert!(old.offset().await.is_err());
    assert!(old.append(&mut body("late"), None, IDLE).await.is_err());
    let digest = hash::digest(b"ab", Algorithm::Sha256).expect("a digest");
    assert!(old.commit(&digest).await.is_err(), "nor finish what the other is writing");

    new.append(&mut body("cd"), None, IDLE).await.expect("it has the session now");
    assert_eq!(session.offset(), 4);
    let digest = hash::digest(b"abcd", Algorithm::Sha256).expect("a digest");
    new.commit(&digest).await.expect("whole");
}

#[tokio::test]
async fn a_session_is_found_where_it_was_begun_until_it_is_over() {
    let sessions = Sessions::new(Arc::new(Memory::default()), Bounds::default());
    let (here, there) = (Name::parse("a").expect("a name"), Name::parse("b").expect("a name"));
    let session = sessions.begin(&here, Algorithm::Sha256).await.expect("a session");
    assert!(sessions.find(&here, &session.id).await.expect("looked").is_some());
    assert!(sessions.find(&there, &session.id).await.expect("looked").is_none());
    sessions.expire(Duration::from_secs(3600)).await.expect("nothing is that old");
    assert!(sessions.find(&here, &session.id).await.expect("looked").is_some());
    sessions.expire(Duration::ZERO).await.expect("expired");
    assert!(sessions.find(&here, &session.id).await.expect("looked").is_none());
}

#[tokio::test]
async fn an_abandoned_upload_gives_way_to_a_new_one_and_a_recent_one_does_not() {
    let name = Name::parse("a").expect("a name");
    for (patience, gives_way) in [(Duration::ZERO, true), (Duration::from_secs(3600), false)] {
        let bounds = Bounds { sessions: 1, patience, ..Bounds::default() };
        let sessions = Sessions::new(Arc::new(Memory::default()), bounds);
        let old = sessions.begin(&name, Algorithm::Sha256).await.expect("there is room").id.clone();
        assert_eq!(sessions.begin(&name, Algorithm::Sha256).await.is_ok(), gives_way);
        let found = sessions.find(&name, &old).await;
        assert_eq!(matches!(found, Ok(Some(_))), !gives_way, "{patience:?}");
    }
}
