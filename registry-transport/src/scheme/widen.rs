//! Which scopes a registry may talk us into. Pure functions.

use registry_authn::{Resource, Scope, Scopes};

/// Scopes a registry may suggest at once.
const SUGGESTED: usize = 8;

/// `scopes` with what the registry suggests beside them, if that is more: at most eight well-formed scopes, and where the
/// request said what it needs, only for the repositories of the request itself.
pub(super) fn widened(
    scopes: &Scopes,
    suggested: &str,
    asked: &Scopes,
    resource: &Resource,
) -> Option<Scopes> {
    let mut wider = scopes.clone();
    for suggestion in suggested.split_ascii_whitespace().take(SUGGESTED) {
        match suggestion.parse::<Scope>() {
            Ok(scope) if belongs(&scope, asked, resource) => wider.insert(scope),
            _ => tracing::debug!("a scope that the registry suggests is not asked for"),
        }
    }
    (wider != *scopes).then_some(wider)
}

fn belongs(scope: &Scope, asked: &Scopes, resource: &Resource) -> bool {
    let mine = match resource {
        Resource::Repository(repository) => {
            scope.kind() == "repository" && scope.name() == repository.path()
        }
        Resource::Registry(_) => asked.is_empty(),
    };
    mine || asked.iter().any(|asked| asked.kind() == scope.kind() && asked.name() == scope.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = "";

    #[test]
    fn a_registry_cannot_talk_us_into_scopes_of_something_else() {
        // A18, A19
        let registry = Resource::Registry("r.example".parse().unwrap());
        let repository = Resource::Repository("r.example/a/b".parse().unwrap());
        let many =
            (0..10_000).map(|n| format!("repository:r{n}:pull")).collect::<Vec<_>>().join(" ");
        let eight = (0..8).map(|n| format!("repository:r{n}:pull")).collect::<Vec<_>>().join(" ");
        for (asked, resource, suggested, want) in [
            (
                "repository:a/b:pull",
                &repository,
                "repository:a/b:push,pull",
                "repository:a/b:push,pull",
            ),
            ("repository:a/b:pull", &repository, "repository:a/b:pull", DENIED),
            ("repository:a/b:pull", &repository, "repository:other:push", DENIED),
            ("repository:a/b:pull", &registry, "repository:a/b:push", "repository:a/b:push,pull"),
            ("repository:a/b:pull", &registry, "registry:catalog:*", DENIED),
            ("repository:a/b:pull", &registry, "junk ::: repository:", DENIED),
            ("", &repository, "repository:a/b:pull", "repository:a/b:pull"),
            ("", &repository, "repository:other:pull", DENIED),
            ("", &registry, "registry:catalog:*", "registry:catalog:*"),
            ("", &registry, many.as_str(), eight.as_str()),
        ] {
            let asked: Scopes = asked.parse().unwrap();
            let got = widened(&asked, suggested, &asked, resource);
            let want = Some(want).filter(|want| !want.is_empty()).map(|want| want.parse().unwrap());
            assert_eq!(got, want, "{asked} {suggested:.40}");
        }
    }
}
