//! What may be done: permissions, and the roles and scopes that are sets of them.

use std::fmt;

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// One thing that may be done, `resource:verb`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $($(#[$doc])* $variant,)* }

        impl Permission {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

permissions! {
    /// Alerts, their export, and all that is known of an address.
    AlertsRead = "alerts:read";
    /// Allowlists and their entries.
    AllowlistsRead = "allowlists:read";
    /// Change them.
    AllowlistsWrite = "allowlists:write";
    /// Analyzers and their runs.
    AnalyzersRead = "analyzers:read";
    /// Run one now.
    AnalyzersRun = "analyzers:run";
    /// Change them.
    AnalyzersWrite = "analyzers:write";
    /// Who did what.
    AuditRead = "audit:read";
    /// Unban.
    DecisionsLift = "decisions:lift";
    /// Search, and see where decisions are.
    DecisionsRead = "decisions:read";
    /// Ban.
    DecisionsWrite = "decisions:write";
    /// Live events.
    EventsRead = "events:read";
    /// Feeds and what they hold.
    FeedsRead = "feeds:read";
    /// Change them, and make tokens for them.
    FeedsWrite = "feeds:write";
    /// Filter rules, and trying one.
    FiltersRead = "filters:read";
    /// Change them.
    FiltersWrite = "filters:write";
    /// Whose an address is.
    IpinfoRead = "ipinfo:read";
    /// LAPI servers, without their secrets.
    LapiRead = "lapi:read";
    /// Change them.
    LapiWrite = "lapi:write";
    /// Machines.
    MachinesRead = "machines:read";
    /// Change them.
    MachinesWrite = "machines:write";
    /// What bouncers count.
    MetricsRead = "metrics:read";
    /// How long rows are kept.
    RetentionRead = "retention:read";
    /// Change that.
    RetentionWrite = "retention:write";
    /// Statistics.
    StatsRead = "stats:read";
    /// The installation's tenants.
    TenantsRead = "tenants:read";
    /// Make, rename and suspend them.
    TenantsWrite = "tenants:write";
    /// API tokens, without their text.
    TokensRead = "tokens:read";
    /// Make, rotate and revoke them.
    TokensWrite = "tokens:write";
    /// Who belongs to the tenant.
    UsersRead = "users:read";
    /// Invite them, change their roles, remove them.
    UsersWrite = "users:write";
}

impl Permission {
    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.name() == name)
    }

    /// Whether something changes by it.
    #[must_use]
    pub fn changes(self) -> bool {
        !self.name().ends_with(":read")
    }

    /// Whether it is about the installation and not about a tenant.
    #[must_use]
    pub const fn is_platforms(self) -> bool {
        matches!(self, Self::TenantsRead | Self::TenantsWrite)
    }

    /// Whether it is about who else may do what: not for everybody who may look.
    #[must_use]
    pub const fn is_about_access(self) -> bool {
        matches!(
            self,
            Self::AuditRead | Self::TokensRead | Self::TokensWrite | Self::UsersRead | Self::UsersWrite
        )
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    #[must_use]
    pub const fn of(all: &[Permission]) -> Self {
        let (mut bits, mut n) = (0, 0);
        while n < all.len() {
            bits |= 1 << all[n] as u8;
            n += 1;
        }
        Self(bits)
    }

    /// All that fit.
    #[must_use]
    pub fn such(that: impl Fn(Permission) -> bool) -> Self {
        Permission::ALL
            .iter()
            .filter(|permission| that(**permission))
            .fold(Self::NONE, |set, permission| set.and(Self::of(&[*permission])))
    }

    /// What the seed scope `read` opens: everything that can be looked at, but not who else may do what.
    #[must_use]
    pub fn read() -> Self {
        Self::such(|p| !p.changes() && !p.is_platforms() && !p.is_about_access())
    }

    /// What the seed scope `admin` opens: everything of the tenant.
    #[must_use]
    pub fn admin() -> Self {
        Self::such(|p| !p.is_platforms())
    }

    /// What the platform's admin may do beside a tenant.
    #[must_use]
    pub const fn platform() -> Self {
        Self::of(&[Permission::TenantsRead, Permission::TenantsWrite])
    }

    /// Of names of permissions and of the two seed scopes.
    ///
    /// # Errors
    /// The first name that is neither.
    pub fn from_scopes<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut set = Self::NONE;
        for name in names {
            set = set.and(match (name, Permission::from_name(name)) {
                ("read", _) => Self::read(),
                ("admin", _) => Self::admin(),
                (_, Some(permission)) if !permission.is_platforms() => Self::of(&[permission]),
                _ => return Err(name),
            });
        }
        Ok(set)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Whether nothing of `other` is beyond it.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what it has.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Permission::ALL
            .iter()
            .filter(move |permission| self.has(**permission))
            .map(|permission| permission.name())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// What a person is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Unbans, and sees what that needs.
    Helpdesk,
    /// Bans, unbans, and changes what decides: filters, allowlists, analyzers, feeds.
    Operator,
    /// Does everything in the tenant.
    Admin,
    /// Looks, also at who did what and who may do what.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Helpdesk,
        Self::Operator,
        Self::Admin,
        Self::Auditor,
    ];

    /// From the number in `membership.role`; an unknown one may do least.
    #[must_use]
    pub const fn from_code(code: i16) -> Self {
        match code {
            2 => Self::Helpdesk,
            3 => Self::Operator,
            4 => Self::Admin,
            5 => Self::Auditor,
            _ => Self::Viewer,
        }
    }

    /// The number in `membership.role`.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Viewer => 1,
            Self::Helpdesk => 2,
            Self::Operator => 3,
            Self::Admin => 4,
            Self::Auditor => 5,
        }
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Helpdesk => "helpdesk",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may do.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        use Permission as P;
        match self {
            Self::Viewer => Permissions::read(),
            Self::Helpdesk => Permissions::of(&[
                P::AlertsRead,
                P::AllowlistsRead,
                P::DecisionsLift,
                P::DecisionsRead,
                P::IpinfoRead,
                P::LapiRead,
            ]),
            Self::Operator => Permissions::read().and(Permissions::of(&[
                P::AllowlistsWrite,
                P::AnalyzersRun,
                P::AnalyzersWrite,
                P::DecisionsLift,
                P::DecisionsWrite,
                P::FeedsWrite,
                P::FiltersWrite,
            ])),
            Self::Admin => Permissions::admin(),
            Self::Auditor => Permissions::such(|p| !p.changes() && !p.is_platforms()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_and_read_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(*permission));
        }
        assert!(Permission::ALL.len() < 64, "they fit a set");
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(Role::from_code(role.code()), role);
        }
    }

    #[test]
    fn roles_and_scopes_reach_as_far_as_they_say() {
        use Permission as P;
        for role in Role::ALL {
            let may = role.permissions();
            assert!(Permissions::admin().covers(may), "{role:?}");
            assert!(!may.has(P::TenantsRead) && !may.has(P::TenantsWrite), "{role:?}");
            assert_eq!(may.has(P::UsersWrite), role == Role::Admin, "{role:?}");
        }
        let changes = |role: Role| {
            role.permissions()
                .names()
                .filter(|n| !n.ends_with(":read"))
                .count()
        };
        assert_eq!(changes(Role::Viewer), 0);
        assert_eq!(changes(Role::Auditor), 0);
        assert_eq!(changes(Role::Helpdesk), 1);
        assert!(Role::Helpdesk.permissions().has(P::DecisionsLift));
        assert!(!Role::Viewer.permissions().has(P::AuditRead));
        assert!(Role::Auditor.permissions().has(P::AuditRead));
        assert!(!Permissions::read().has(P::TokensRead));
    }

    #[test]
    fn scopes_are_read_and_nothing_else() {
        let of = |names: &[&'static str]| Permissions::from_scopes(names.iter().copied());
        assert_eq!(of(&["admin"]), Ok(Permissions::admin()));
        let two = of(&["alerts:read", "decisions:write"]).unwrap();
        assert_eq!(
            two.names().collect::<Vec<_>>(),
            ["alerts:read", "decisions:write"]
        );
        assert!(
            of(&["read", "decisions:lift"])
                .unwrap()
                .covers(Permissions::read())
        );
        for wrong in ["", "Admin", "tenants:read", "alerts", "alerts:write", "*"] {
            assert_eq!(of(&["read", wrong]), Err(wrong));
        }
    }
}
