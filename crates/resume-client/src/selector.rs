//! Which services a person means.

use glob::Pattern;
use resume_core::name::ServiceName;

use crate::discover::Service;

/// A word that selects services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `all`.
    All,
    /// `@GROUP`.
    Group(String),
    /// A name with `*`, `?` or `[…]`.
    Glob(Pattern),
    /// The pid of a program or of a supervisor.
    Pid(i32),
    /// A name.
    Name(ServiceName),
    /// `name:INSTANCE`.
    Instance(ServiceName, u32),
    /// Anything else: nothing can match it.
    Nothing(String),
}

/// A glob that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no pattern: {message}, at character {position}")]
pub struct InvalidGlob {
    /// The word.
    pub word: String,
    /// What is wrong.
    pub message: &'static str,
    /// Where, counted from 1.
    pub position: usize,
}

impl Selector {
    /// Reads a word. Only a broken pattern is an error; what can match nothing becomes [`Selector::Nothing`].
    pub fn parse(word: &str) -> Result<Self, InvalidGlob> {
        if word == "all" {
            return Ok(Self::All);
        }
        if let Some(group) = word.strip_prefix('@') {
            return Ok(Self::Group(group.to_owned()));
        }
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(word.parse().map_or_else(|_| Self::Nothing(word.to_owned()), Self::Pid));
        }
        if word.contains(['*', '?', '[']) {
            let invalid = |error: glob::PatternError| InvalidGlob {
                word: word.to_owned(),
                message: error.msg,
                position: error.pos + 1,
            };
            return Pattern::new(word).map(Self::Glob).map_err(invalid);
        }
        let instance = word.split_once(':').and_then(|(name, index)| {
            let index = index.bytes().all(|byte| byte.is_ascii_digit()).then(|| index.parse().ok())??;
            Some(Self::Instance(ServiceName::new(name).ok()?, index))
        });
        Ok(instance
            .or_else(|| ServiceName::new(word).ok().map(Self::Name))
            .unwrap_or_else(|| Self::Nothing(word.to_owned())))
    }

    /// Whether it takes whatever is there: that it matches nothing is then no error.
    pub fn is_pattern(&self) -> bool {
        matches!(self, Self::All | Self::Group(_) | Self::Glob(_))
    }

    /// The one name it can match, if it can match but one: then no other service need be looked at.
    pub fn name(&self) -> Option<&ServiceName> {
        match self {
            Self::Name(name) | Self::Instance(name, _) => Some(name),
            Self::All | Self::Group(_) | Self::Glob(_) | Self::Pid(_) | Self::Nothing(_) => None,
        }
    }

    /// What of a service it selects.
    fn selects(&self, service: &Service) -> Option<Part> {
        let whole = |matches: bool| matches.then_some(Part::Whole);
        match self {
            Self::All => Some(Part::Whole),
            Self::Group(group) => whole(service.group.as_ref() == Some(group)),
            Self::Glob(pattern) => whole(pattern.matches(service.name.as_str())),
            Self::Name(name) => whole(service.name == *name),
            Self::Instance(name, index) => (service.name == *name).then_some(Part::Instance(*index)),
            Self::Pid(pid) => service.part_of_pid(*pid),
            Self::Nothing(_) => None,
        }
    }
}

/// What of a service is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// One instance.
    Instance(u32),
}

/// A service that was selected.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which.
    pub service: Service,
    /// Which of its instances; `None` is all.
    pub instances: Option<Vec<u32>>,
    /// Whether only patterns select it: then it is passed over if it is as asked already.
    pub by_pattern: bool,
}

/// What a row of selectors comes to.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The services, in the order in which they were named first, each once.
    pub targets: Vec<Target>,
    /// The words, no patterns, that match nothing.
    pub missing: Vec<String>,
    /// The instances that a service does not have.
    pub missing_instances: Vec<(ServiceName, u32)>,
}

/// Selects from `services` by all of these words with what they were read as.
pub fn select(selectors: &[(String, Selector)], services: Vec<Service>) -> Selection {
    let mut selection = Selection::default();
    let mut order: Vec<Option<(usize, Vec<Part>, bool)>> = services.iter().map(|_| None).collect();
    let mut next = 0;
    for (word, selector) in selectors {
        let mut found = false;
        for (service, chosen) in services.iter().zip(&mut order) {
            let Some(part) = selector.selects(service) else { continue };
            found = true;
            if let Part::Instance(index) = part
                && !service.has_instance(index)
            {
                selection.missing_instances.push((service.name.clone(), index));
                continue;
            }
            let (_, parts, by_pattern) = chosen.get_or_insert_with(|| {
                next += 1;
                (next, Vec::new(), true)
            });
            parts.push(part);
            *by_pattern &= selector.is_pattern();
        }
        if !found && !selector.is_pattern() {
            selection.missing.push(word.clone());
        }
    }
    let mut targets: Vec<_> =
        services.into_iter().zip(order).filter_map(|(service, chosen)| Some((chosen?, service))).collect();
    targets.sort_by_key(|((order, ..), _)| *order);
    selection.targets = targets
        .into_iter()
        .map(|((_, parts, by_pattern), service)| Target { service, instances: merged(&parts), by_pattern })
        .collect();
    selection
}

/// The instances that several parts of one service come to; `None` is all.
fn merged(parts: &[Part]) -> Option<Vec<u32>> {
    let index = |part: &Part| match part {
        Part::Whole => None,
        Part::Instance(index) => Some(*index),
    };
    let mut instances = parts.iter().map(index).collect::<Option<Vec<u32>>>()?;
    instances.sort_unstable();
    instances.dedup();
    Some(instances)
}

/// The candidate that `word` was probably meant to be, if one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &'a str| {
        let distance = strsim::osa_distance(word, candidate);
        // A third of the letters may be wrong, but never all of them.
        let bound = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
        let shares = word.chars().any(|letter| candidate.contains(letter));
        (distance <= bound && shares).then_some((distance, candidate))
    };
    candidates.into_iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::service;

    fn parse(word: &str) -> Selector {
        Selector::parse(word).unwrap()
    }

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    /// What words select of `web` (2 instances, pids 10 and 11, supervisor 9), `web-2` (pid 20) and `db` (group `data`).
    fn check(words: &[&str], expected: &[&str]) {
        let mut services = vec![service("db", &[]), service("web", &[10, 11]), service("web-2", &[20])];
        services[0].group = Some("data".into());
        services[1].supervisor = Some(9);
        let selectors: Vec<_> = words.iter().map(|word| ((*word).to_owned(), parse(word))).collect();
        let selection = select(&selectors, services);
        let mut found = Vec::new();
        for target in selection.targets {
            found.push(match target.instances {
                None => target.service.name.to_string(),
                Some(instances) => format!("{}:{instances:?}", target.service.name),
            });
        }
        found.extend(selection.missing.iter().map(|word| format!("no {word}")));
        found.extend(selection.missing_instances.iter().map(|(name, index)| format!("no {name}:{index}")));
        assert_eq!(found, expected, "{words:?}");
    }

    #[test]
    fn a_word_is_read_by_its_form() {
        assert_eq!(parse("all"), Selector::All);
        assert_eq!(parse("@data"), Selector::Group("data".into()));
        assert_eq!(parse("42"), Selector::Pid(42));
        assert_eq!(parse("web"), Selector::Name(name("web")));
        assert_eq!(parse("web:1"), Selector::Instance(name("web"), 1));
        assert!(matches!(parse("w?b-[ab]*"), Selector::Glob(_)));
        for nothing in ["", "a/b", "web:", "web:x", "web:+1", ":1", "99999999999", "-x"] {
            assert_eq!(parse(nothing), Selector::Nothing(nothing.into()));
        }
        let error = Selector::parse("web[").unwrap_err();
        assert_eq!((error.position, error.word.as_str()), (4, "web["));
    }

    #[test]
    fn services_come_in_the_order_of_the_words_and_each_once() {
        check(&["web-2", "all"], &["web-2", "db", "web"]);
        check(&["web", "web", "w*"], &["web", "web-2"]);
        check(&["@data", "web"], &["db", "web"]);
    }

    #[test]
    fn instances_of_a_service_add_up_and_the_whole_covers_them() {
        check(&["web:1", "web:0", "web:1"], &["web:[0, 1]"]);
        check(&["web:1", "web"], &["web"]);
        check(&["web:2", "web:0"], &["web:[0]", "no web:2"]);
    }

    #[test]
    fn a_pid_selects_an_instance_or_by_the_supervisor_the_whole() {
        check(&["9"], &["web"]);
        check(&["11"], &["web:[1]"]);
        check(&["20"], &["web-2"]);
        check(&["21"], &["no 21"]);
    }

    #[test]
    fn a_pattern_over_nothing_is_no_error_and_a_name_is() {
        check(&["x*", "@nobody"], &[]);
        check(&["x", "a/b"], &["no x", "no a/b"]);
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("wbe", ["db", "web"]), Some("web"));
        assert_eq!(nearest("statr", ["start", "stop", "status"]), Some("start"));
        assert_eq!(nearest("xy", ["db", "web"]), None);
        assert_eq!(nearest("a", ["b"]), None);
    }
}
