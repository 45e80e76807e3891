//! The classes of rows, and how long each is kept.

use std::collections::BTreeMap;

use crate::app::Lifetimes;

/// Rows that are kept equally long.
#[derive(Debug)]
pub struct Class {
    /// In `retention.class`; never given to another class.
    pub code: i16,
    /// As operators call it.
    pub name: &'static str,
    /// What belongs to it.
    pub meaning: &'static str,
    /// Days, where the tenant does not say.
    default: fn(&Lifetimes) -> u32,
    /// Whether the tenant may not make it shorter than the default: only the command line does.
    pub is_guarded: bool,
}

/// Alerts with decisions, receipts, rejected items.
pub const ALERTS: &Class = &CLASSES[0];
/// Bodies as received.
pub const BODIES: &Class = &CLASSES[1];
/// What was done here.
pub const AUDIT: &Class = &CLASSES[2];
/// Alerts that CAPI did not take yet.
pub const WAITING: &Class = &CLASSES[3];
/// What bouncers and agents counted.
pub const METRICS: &Class = &CLASSES[4];

/// All of them. One more: a line here with the next code, its default in [`Lifetimes`] and `config/retention.rs`, a step in
/// `jobs.rs` that ends its rows, and a line in the README's table.
pub const CLASSES: [Class; 5] = [
    Class {
        code: 1,
        name: "alerts",
        meaning: "alerts, their decisions, receipts, rejected items; the statistics follow them",
        default: |l| l.alerts,
        is_guarded: false,
    },
    Class {
        code: 2,
        name: "bodies",
        meaning: "bodies as engines sent them; never longer than alerts",
        default: |l| l.bodies.unwrap_or(l.alerts),
        is_guarded: false,
    },
    Class {
        code: 3,
        name: "audit",
        meaning: "who banned, lifted and allowed what",
        default: |l| l.audit,
        is_guarded: true,
    },
    Class {
        code: 4,
        name: "waiting",
        meaning: "alerts that CAPI has not taken yet; never shorter than alerts",
        default: |l| l.waiting,
        is_guarded: false,
    },
    Class {
        code: 5,
        name: "metrics",
        meaning: "usage metrics of bouncers and agents, and those that were not told of since",
        default: |l| l.metrics,
        is_guarded: false,
    },
];

/// A tenant's own wishes: days by the code of a class.
pub type Own = BTreeMap<i16, i32>;

/// How long one class is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its code.
    pub code: i16,
    /// Its name.
    pub name: &'static str,
    /// Days in force.
    pub days: i32,
    /// Days without a wish of the tenant's.
    pub default: i32,
    /// Whether the tenant has a wish.
    pub is_own: bool,
}

fn days(class: &Class, defaults: &Lifetimes, own: &Own) -> i32 {
    let default = i32::try_from((class.default)(defaults)).unwrap_or(i32::MAX);
    own.get(&class.code).copied().unwrap_or(default)
}

/// How long a class is kept: its own wish or the default, held to what the other classes say.
#[must_use]
pub fn in_force(class: &Class, defaults: &Lifetimes, own: &Own) -> i32 {
    let alerts = days(ALERTS, defaults, own);
    let wish = days(class, defaults, own);
    match class.code {
        // Who says nothing about bodies means as long as alerts, however long that is.
        2 if defaults.bodies.is_none() && !own.contains_key(&class.code) => alerts,
        2 => wish.min(alerts),
        4 => wish.max(alerts),
        _ => wish,
    }
}

/// All classes.
#[must_use]
pub fn rules(defaults: &Lifetimes, own: &Own) -> Vec<Rule> {
    let none = Own::new();
    let rule = |class: &'static Class| Rule {
        code: class.code,
        name: class.name,
        days: in_force(class, defaults, own),
        default: in_force(class, defaults, &none),
        is_own: own.contains_key(&class.code),
    };
    CLASSES.iter().map(rule).collect()
}

/// A tenant's own wishes by the names of their classes.
#[must_use]
pub fn named(own: &Own) -> BTreeMap<&'static str, i32> {
    let class = |code: &i16| CLASSES.iter().find(|class| class.code == *code);
    own.iter()
        .filter_map(|(code, days)| Some((class(code)?.name, *days)))
        .collect()
}

/// Why a wish is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such class.
    #[error("there is no class {0}: {names}", names = names())]
    Unknown(String),
    /// Out of range.
    #[error("is a whole number of days from 1 to 36500")]
    Days(String),
    /// The installation's operator decides.
    #[error("may not be shorter than {1} days, except by the command line")]
    Guarded(String, i32),
}

impl Refused {
    /// The class that is wrong.
    #[must_use]
    pub fn class(&self) -> &str {
        match self {
            Self::Unknown(class) | Self::Days(class) | Self::Guarded(class, _) => class,
        }
    }
}

fn names() -> String {
    CLASSES
        .iter()
        .map(|class| class.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What stays when a tenant puts all its wishes anew: what it may not shorten.
#[must_use]
pub fn guarded(own: &Own) -> Own {
    let kept = CLASSES.iter().filter(|class| class.is_guarded);
    kept.filter_map(|class| Some((class.code, *own.get(&class.code)?)))
        .collect()
}

/// The wishes after some were changed: none takes one back. With `defaults` it is the tenant that wishes, which may not
/// shorten what is guarded.
///
/// # Errors
/// What is wrong with the first that is.
pub fn changed<'a>(
    own: &Own,
    changes: impl IntoIterator<Item = (&'a str, Option<i64>)>,
    defaults: Option<&Lifetimes>,
) -> Result<Own, Refused> {
    let mut own = own.clone();
    for (name, days) in changes {
        let Some(class) = CLASSES.iter().find(|class| class.name == name) else {
            return Err(Refused::Unknown(name.to_owned()));
        };
        let in_range = |days: &i32| (1..=36_500).contains(days);
        let days = days.map(|days| i32::try_from(days).ok().filter(in_range));
        let least = defaults.filter(|_| class.is_guarded);
        let least = least.map(|defaults| in_force(class, defaults, &own));
        match days {
            Some(None) => return Err(Refused::Days(name.to_owned())),
            None => own.remove(&class.code),
            Some(Some(days)) => own.insert(class.code, days),
        };
        let is_shorter = |least: &i32| defaults.is_some_and(|d| in_force(class, d, &own) < *least);
        if let Some(least) = least.filter(is_shorter) {
            return Err(Refused::Guarded(name.to_owned(), least));
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Lifetimes = Lifetimes {
        alerts: 30,
        bodies: None,
        audit: 365,
        waiting: 90,
        metrics: 90,
    };

    #[test]
    fn classes_hold_one_another() {
        for (own, alerts, bodies, audit, waiting) in [
            (&[][..], 30, 30, 365, 90),
            (&[(1, 7)], 7, 7, 365, 90),
            (&[(1, 400)], 400, 400, 365, 400),
            (&[(2, 60)], 30, 30, 365, 90),
            (&[(2, 3)], 30, 3, 365, 90),
            (&[(1, 10), (4, 2)], 10, 10, 365, 10),
            (&[(3, 1)], 30, 30, 1, 90),
        ] {
            let own: Own = own.iter().copied().collect();
            let days: Vec<i32> = rules(&DEFAULTS, &own).iter().map(|rule| rule.days).collect();
            assert_eq!(days, [alerts, bodies, audit, waiting, 90], "{own:?}");
        }
        let short = Lifetimes {
            bodies: Some(5),
            ..DEFAULTS
        };
        assert_eq!(in_force(BODIES, &short, &Own::new()), 5);
    }

    #[test]
    fn wishes_are_checked() {
        let own: Own = [(1, 7)].into();
        let change = |name, days, guard: bool| changed(&own, [(name, days)], guard.then_some(&DEFAULTS));
        assert_eq!(change("bodies", Some(3), true).unwrap(), [(1, 7), (2, 3)].into());
        assert_eq!(change("alerts", None, true).unwrap(), Own::new());
        assert_eq!(
            change("audit", Some(400), true).unwrap(),
            [(1, 7), (3, 400)].into()
        );
        assert_eq!(
            change("audit", Some(30), false).unwrap(),
            [(1, 7), (3, 30)].into()
        );
        assert!(matches!(
            change("audit", Some(30), true),
            Err(Refused::Guarded(_, 365))
        ));
        // What the operator lengthened stays long.
        let long: Own = [(1, 9), (3, 3650)].into();
        assert_eq!(guarded(&long), [(3, 3650)].into());
        for days in [None, Some(400)] {
            let refused = changed(&long, [("audit", days)], Some(&DEFAULTS));
            assert!(matches!(refused, Err(Refused::Guarded(_, 3650))));
        }
        for days in [0, -1, 36_501, i64::MAX] {
            assert_eq!(
                change("alerts", Some(days), true),
                Err(Refused::Days("alerts".to_owned()))
            );
        }
        assert!(matches!(change("alert", Some(3), true), Err(Refused::Unknown(_))));
    }

    #[test]
    fn codes_are_never_shared() {
        for (n, class) in CLASSES.iter().enumerate() {
            assert_eq!(usize::try_from(class.code).unwrap(), n + 1, "{}", class.name);
            assert!(!class.meaning.is_empty());
        }
        assert_eq!(
            [ALERTS.name, BODIES.name, AUDIT.name, WAITING.name],
            ["alerts", "bodies", "audit", "waiting"]
        );
    }
}
