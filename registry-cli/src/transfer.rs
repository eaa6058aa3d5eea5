//! Push, pull and copy: one way between two ends.

mod answer;

use std::sync::Arc;

use registry_name::Digest;
use registry_remote::{
    CopyOptions, Plan, Sink, Source,
    copy::{self, Wanted},
    media_type,
};

use self::answer::{Planned, Transferred};
use crate::{
    along::Along, args::Format, failure::Failure, place::Endpoint, progress, progress::Progress,
    session::Session, stores,
};

/// Copies what one end names to the other, and says where it is.
pub(crate) async fn transfer(
    session: &Session,
    from: &Endpoint,
    to: &Endpoint,
    along: &Along,
) -> Result<(), Failure> {
    let shown = Progress::new(session.console.clone(), session.audience());
    let mut options = CopyOptions::default();
    options.platforms.clone_from(&session.global.platform);
    options.jobs = session.global.jobs;
    options.events = shown.listener();
    along.apply(&mut options);
    let Ends { source, sink, wanted, expected } = ends(session, from, to, along).await?;
    let plan = copy::plan(&source, &wanted, &sink, &options).await?;
    if let Some(expected) = expected {
        check(&plan, &expected)?;
    }
    if along.dry_run {
        return foretell(session, plan, &source, &sink, &options).await;
    }
    let left_out = plan.left_out().len();
    let is_index = media_type::is_index(&plan.root().descriptor.media_type);
    let report = plan.run(&source, &sink, &options).await;
    let report = report.map_err(|error| match to {
        Endpoint::Place(place) if is_index => stores::advise_one(error, place),
        _ => error.into(),
    })?;
    shown.finish(&report);
    for tag in report.roots.iter().flat_map(|root| &root.skipped) {
        session.note(&format!("left alone: {tag}, which names something else there"));
    }
    for refused in &report.refused {
        let (digest, kind) = (&refused.digest, &refused.media_type);
        session.note(&format!("left out: {digest}, since {kind} is not taken there"));
    }
    if left_out > 0 {
        let layers = progress::count(left_out, "layer");
        session.note(&format!("left out: {layers} not for redistribution; see --nondistributable"));
    }
    let answer = Transferred::new(source.as_ref(), sink.as_ref(), report);
    if answer.is_silent() && session.global.output == Format::Text {
        return Ok(());
    }
    session.answer(&answer)
}

/// What is copied, from where to where.
struct Ends {
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    wanted: Vec<Wanted>,
    /// What the destination is to be.
    expected: Option<Digest>,
}

async fn ends(
    session: &Session,
    from: &Endpoint,
    to: &Endpoint,
    along: &Along,
) -> Result<Ends, Failure> {
    if along.no_clobber {
        stores::check_free(to)?;
    }
    if along.all_tags {
        let source = stores::whole(session, from).await?;
        let sink = stores::whole_sink(session, to)?;
        let wanted = along.filter().choose(source.as_ref()).await?;
        return Ok(Ends { source, sink, wanted, expected: None });
    }
    let source = stores::source(session, from).await?;
    let sink = stores::sink(session, to, from, &source)?;
    let wanted = Wanted { from: source.which, tags: sink.tag.into_iter().collect() };
    let (wanted, expected) = (vec![wanted], sink.digest);
    Ok(Ends { source: source.store, sink: sink.store, wanted, expected })
}

/// Says what would be done.
async fn foretell(
    session: &Session,
    plan: Plan,
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    options: &CopyOptions,
) -> Result<(), Failure> {
    let plan = plan.missing(sink, options.jobs).await?;
    let planned = Planned::new(source.as_ref(), sink.as_ref(), &plan);
    session.note(&planned.summary());
    if planned.is_silent() && session.global.output == Format::Text {
        return Ok(());
    }
    session.answer(&planned)
}

/// A destination that names a digest gets that content or none.
fn check(plan: &Plan, expected: &Digest) -> Result<(), Failure> {
    let actual = &plan.root().name;
    if actual == expected {
        return Ok(());
    }
    Err(Failure::Other {
        what: format!("the destination is to be {expected}, and the source is {actual}"),
        exit: crate::Exit::Integrity,
        hint: Some("leave the digest out of the destination to write what the source has".into()),
    })
}
