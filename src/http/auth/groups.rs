//! What groups give: roles in tenants, and the platform.

use std::collections::BTreeMap;

use super::permission::Role;

/// What a group gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The group, to the letter.
    pub group: String,
    /// What its people get.
    pub gives: Gives,
}

/// What people of a group get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gives {
    /// They are the platform's admins.
    Platform,
    /// A role in the tenant of this name.
    Role(String, Role),
}

/// What groups give, and for how long.
#[derive(Debug, Clone, Default)]
pub struct GroupRoles {
    /// By group.
    pub grants: Vec<Grant>,
    /// Whether what was given goes with the group.
    pub follow: bool,
}

/// What somebody's groups give them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether they are the platform's admin.
    pub platform: bool,
    /// Their roles, by the tenant's name.
    pub roles: BTreeMap<String, Role>,
}

impl GroupRoles {
    /// What these groups give. Of several roles in one tenant the one counts that may change most.
    #[must_use]
    pub fn of(&self, groups: &[String]) -> Wanted {
        let mut wanted = Wanted::default();
        for grant in self.grants.iter().filter(|grant| groups.contains(&grant.group)) {
            match &grant.gives {
                Gives::Platform => wanted.platform = true,
                Gives::Role(tenant, role) => {
                    let held = wanted.roles.entry(tenant.clone()).or_insert(*role);
                    if weight(*role) > weight(*held) {
                        *held = *role;
                    }
                }
            }
        }
        wanted
    }
}

const fn weight(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Helpdesk => 1,
        Role::Auditor => 2,
        Role::Operator => 3,
        Role::Admin => 4,
    }
}

/// A membership that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The tenant's number.
    pub tenant: i32,
    /// What the person is there.
    pub role: Role,
    /// Whether groups gave it; by hand otherwise.
    pub by_groups: bool,
}

/// What is to be done with a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A new one.
    Join(Role),
    /// Another role.
    Change(Role),
    /// The groups that gave it are gone.
    Leave,
}

/// What has to change so that what groups gave is what they give. What was given by hand stays as it is.
#[must_use]
pub fn plan(given: &[(i32, Role)], held: &[Held]) -> Vec<(i32, Step)> {
    let gained =
        given.iter().filter_map(
            |(tenant, role)| match held.iter().find(|held| held.tenant == *tenant) {
                None => Some((*tenant, Step::Join(*role))),
                Some(held) if held.by_groups && held.role != *role => Some((*tenant, Step::Change(*role))),
                Some(_) => None,
            },
        );
    let lost = held
        .iter()
        .filter(|held| held.by_groups && !given.iter().any(|(tenant, _)| *tenant == held.tenant));
    let mut steps: Vec<_> = gained
        .chain(lost.map(|held| (held.tenant, Step::Leave)))
        .collect();
    steps.sort_unstable_by_key(|(tenant, _)| *tenant);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> GroupRoles {
        let role = |group: &str, tenant: &str, role| Grant {
            group: group.to_owned(),
            gives: Gives::Role(tenant.to_owned(), role),
        };
        let platform = Grant {
            group: "msp".to_owned(),
            gives: Gives::Platform,
        };
        GroupRoles {
            grants: vec![
                platform,
                role("ops", "acme", Role::Operator),
                role("view", "acme", Role::Viewer),
                role("view", "umbrella", Role::Viewer),
                role("audit", "acme", Role::Auditor),
            ],
            follow: true,
        }
    }

    #[test]
    fn groups_give_what_is_written_and_nothing_else() {
        for (groups, platform, expected) in [
            (&[][..], false, &[][..]),
            (&["Ops", "op", "ops ", ""], false, &[]),
            (&["msp"], true, &[]),
            (&["ops"], false, &[("acme", Role::Operator)]),
            (
                &["view", "audit", "ops"],
                false,
                &[("acme", Role::Operator), ("umbrella", Role::Viewer)],
            ),
            (
                &["audit", "view"],
                false,
                &[("acme", Role::Auditor), ("umbrella", Role::Viewer)],
            ),
        ] {
            let groups: Vec<String> = groups.iter().map(|group: &&str| (*group).to_owned()).collect();
            let wanted = roles().of(&groups);
            let found: Vec<(&str, Role)> = wanted
                .roles
                .iter()
                .map(|(tenant, role)| (tenant.as_str(), *role))
                .collect();
            assert_eq!(
                (wanted.platform, found.as_slice()),
                (platform, expected),
                "{groups:?}"
            );
        }
    }

    #[test]
    fn what_was_given_by_hand_stays() {
        let held = |tenant, role, by_groups| Held {
            tenant,
            role,
            by_groups,
        };
        for (given, held, expected) in [
            (&[][..], &[][..], &[][..]),
            (&[(1, Role::Admin)], &[], &[(1, Step::Join(Role::Admin))]),
            (&[(1, Role::Admin)], &[held(1, Role::Viewer, false)], &[]),
            (&[], &[held(1, Role::Viewer, false)], &[]),
            (&[(1, Role::Admin)], &[held(1, Role::Admin, true)], &[]),
            (
                &[(1, Role::Admin)],
                &[held(1, Role::Viewer, true)],
                &[(1, Step::Change(Role::Admin))],
            ),
            (
                &[(3, Role::Viewer)],
                &[held(1, Role::Viewer, true), held(2, Role::Viewer, false)],
                &[(1, Step::Leave), (3, Step::Join(Role::Viewer))],
            ),
        ] {
            assert_eq!(plan(given, held), expected, "{given:?} {held:?}");
        }
    }
}
