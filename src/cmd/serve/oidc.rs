//! The identity provider, and what groups give.

use anyhow::Context as _;

use crate::config::Config;
use crate::http::{Gives, Grant, GroupRoles, Role};
use crate::outbound::oidc::{Names, Provider, Settings};

/// What groups give.
pub fn groups(config: &Config) -> anyhow::Result<GroupRoles> {
    let grant = |grant: &crate::config::GroupGrant| {
        let gives = match &grant.tenant {
            None => Gives::Platform,
            Some(tenant) => {
                let role = Role::from_name(&grant.role).context("oidc.groups: a role that is none")?;
                Gives::Role(tenant.clone(), role)
            }
        };
        anyhow::Ok(Grant {
            group: grant.group.clone(),
            gives,
        })
    };
    Ok(GroupRoles {
        grants: config.oidc.groups.iter().map(grant).collect::<Result<_, _>>()?,
        follow: config.oidc.follow_groups,
    })
}

/// The provider, where there is one.
pub fn provider(config: &Config) -> anyhow::Result<Option<Provider>> {
    let (Some(login), Some(home)) = (&config.oidc.login, &config.server.public_url) else {
        return Ok(None);
    };
    let [subject, email, groups] = login.claims.clone();
    let settings = Settings {
        issuer: login.issuer.clone(),
        client_id: login.client_id.clone(),
        client_secret: login.client_secret.clone(),
        scopes: login.scopes.clone(),
        redirect_uri: format!("{}{}", home.trim_end_matches('/'), login.redirect_path),
        home: home.clone(),
        names: Names {
            subject,
            email,
            groups,
        },
        require_verified_email: login.require_verified_email,
    };
    Ok(Some(Provider::new(settings).context("oidc")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ROLES;

    #[test]
    fn the_configuration_knows_the_roles() {
        assert_eq!(Role::ALL.map(Role::name), ROLES);
    }
}
