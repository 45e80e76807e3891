//! Logging in through an identity provider, and persons that a proxy names.

use cidr::IpCidr;
use secrecy::SecretString;

use super::error::ConfigError;
use super::server::network;
use super::setting::Setting;
use super::source::Source;
use super::value::Found;

const ISSUER: Setting = Setting::new(
    "oidc.issuer",
    "-",
    "Address of the OpenID Connect provider that people log in through, as it calls itself in its discovery document: https, or http on this machine. Needs `oidc.client_id` and `server.public_url`.",
)
.variable("GARRISON_OIDC_ISSUER");
const CLIENT_ID: Setting = Setting::new("oidc.client_id", "-", "What Garrison is called at the provider.")
    .variable("GARRISON_OIDC_CLIENT_ID");
const CLIENT_SECRET: Setting = Setting::new(
    "oidc.client_secret",
    "-",
    "What it proves that with; none for a public client, which has PKCE alone.",
)
.variable("GARRISON_OIDC_CLIENT_SECRET")
.secret();
const SCOPES: Setting = Setting::new(
    "oidc.scopes",
    "openid email profile groups",
    "What is asked of the provider, with spaces; `openid` is always.",
)
.variable("GARRISON_OIDC_SCOPES");
const REDIRECT_PATH: Setting = Setting::new(
    "oidc.redirect_path",
    "/api/auth/callback",
    "Where the provider sends people back to, below `server.public_url`: this, or `/api/auth/callback/oidc`.",
)
.variable("GARRISON_OIDC_REDIRECT_PATH");
const SUBJECT_CLAIM: Setting = Setting::new(
    "oidc.subject_claim",
    "sub",
    "The claim that tells people apart for ever.",
)
.variable("GARRISON_OIDC_SUBJECT_CLAIM");
const EMAIL_CLAIM: Setting = Setting::new("oidc.email_claim", "email", "The claim with their address.")
    .variable("GARRISON_OIDC_EMAIL_CLAIM");
const GROUPS_CLAIM: Setting = Setting::new(
    "oidc.groups_claim",
    "groups",
    "The claim with their groups; `a.b` is `b` within `a`.",
)
.variable("GARRISON_OIDC_GROUPS_CLAIM");
const VERIFIED: Setting = Setting::new(
    "oidc.require_verified_email",
    "true",
    "Whether an address counts only with `email_verified`. `false` only where nobody can give themselves another's address.",
)
.variable("GARRISON_OIDC_REQUIRE_VERIFIED_EMAIL");
const GROUPS: Setting = Setting::new(
    "oidc.groups",
    "-",
    "What groups give, of the provider and of `Auth-Groups`: a list, or a text with commas, of `group=tenant:role` and `group=*:platform-admin`.",
)
.variable("GARRISON_OIDC_GROUPS");
const FOLLOW: Setting = Setting::new(
    "oidc.follow_groups",
    "true",
    "Whether what groups gave is taken away when the group is; otherwise they count the first time alone.",
)
.variable("GARRISON_OIDC_FOLLOW_GROUPS");
const PROXIES: Setting = Setting::new(
    "auth_headers.proxies",
    "none",
    "Addresses and networks of reverse proxies that log people in and name them by `Auth-Sub`, `Auth-Email` and `Auth-Groups`, a list, or a text with commas. From anybody else these headers open nothing.",
)
.variable("GARRISON_AUTH_HEADERS_PROXIES");

pub(super) const SETTINGS: &[Setting] = &[
    ISSUER,
    CLIENT_ID,
    CLIENT_SECRET,
    SCOPES,
    REDIRECT_PATH,
    SUBJECT_CLAIM,
    EMAIL_CLAIM,
    GROUPS_CLAIM,
    VERIFIED,
    GROUPS,
    FOLLOW,
    PROXIES,
];

/// The roles of `src/http/auth/permission.rs`; a test of `src/cmd/serve/oidc.rs` holds the two together.
pub const ROLES: [&str; 5] = ["viewer", "helpdesk", "operator", "admin", "auditor"];
/// What a group gives over the installation.
const PLATFORM: (&str, &str) = ("*", "platform-admin");

/// Who comes in without a password of ours.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The provider, where there is one.
    pub login: Option<Login>,
    /// What groups give.
    pub groups: Vec<GroupGrant>,
    /// Whether it is taken away with the group.
    pub follow_groups: bool,
    /// Proxies whose word counts for who asks.
    pub proxies: Vec<IpCidr>,
}

/// A provider.
#[derive(Debug, Clone)]
pub struct Login {
    /// As it calls itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Option<SecretString>,
    /// With spaces.
    pub scopes: String,
    /// Where it sends people back to; begins with a slash.
    pub redirect_path: String,
    /// Names of the claims: subject, address, groups.
    pub claims: [String; 3],
    /// Whether an address has to be verified.
    pub require_verified_email: bool,
}

/// What a group gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupGrant {
    /// The group as the provider calls it.
    pub group: String,
    /// The tenant, by name; none for the platform.
    pub tenant: Option<String>,
    /// One of the roles' names; `platform-admin` for the platform.
    pub role: String,
}

impl Oidc {
    pub(super) fn read(source: &Source<'_>, has_public_url: bool) -> Result<Self, ConfigError> {
        let mut proxies = Vec::new();
        if let Some(found) = source.find(&PROXIES)? {
            let texts = found.texts()?;
            for text in texts.iter().filter(|_| texts != ["none"]) {
                let network = network(text).ok_or_else(|| {
                    found.invalid("addresses and networks such as 10.0.0.1 or fd00::/8, or none")
                })?;
                if network.network_length() == 0 {
                    return Err(found.invalid("networks of proxies: not the whole internet"));
                }
                proxies.push(network);
            }
        }
        let groups = match source.find(&GROUPS)? {
            Some(found) => found
                .texts()?
                .into_iter()
                .map(|text| grant(&found, text))
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let yes = |setting| {
            source
                .find(setting)?
                .map_or(Ok(true), |found: Found| found.boolean())
        };
        let login = Login::read(source, has_public_url, yes(&VERIFIED)?)?;
        if login.is_none() && proxies.is_empty() && !groups.is_empty() {
            source.warn(format!(
                "`{}` has no effect without `{}` or `{}`",
                GROUPS.key, ISSUER.key, PROXIES.key
            ));
        }
        Ok(Self {
            login,
            groups,
            follow_groups: yes(&FOLLOW)?,
            proxies,
        })
    }
}

impl Login {
    fn read(
        source: &Source<'_>,
        has_public_url: bool,
        require_verified_email: bool,
    ) -> Result<Option<Self>, ConfigError> {
        let text = |setting: &Setting, expected: &str, good: &dyn Fn(&str) -> bool| {
            let Some(found) = source.find(setting)? else {
                return Ok(None);
            };
            let text = found.text()?.trim();
            if good(text) {
                Ok(Some(text.to_owned()))
            } else {
                Err(found.invalid(expected))
            }
        };
        let plain = |text: &str| {
            (1..=255).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c.is_whitespace())
        };
        let expected = "an https address without query or fragment, or http on this machine";
        let issuer = text(&ISSUER, expected, &is_issuer)?;
        let client_id = text(&CLIENT_ID, "a text without spaces", &plain)?;
        let client_secret = source.find(&CLIENT_SECRET)?;
        let scopes = text(&SCOPES, "words with spaces between them", &|text| {
            (1..=1000).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        })?;
        let known = |text: &str| [REDIRECT_PATH.default, "/api/auth/callback/oidc"].contains(&text);
        let redirect_path = text(
            &REDIRECT_PATH,
            "/api/auth/callback or /api/auth/callback/oidc",
            &known,
        )?;
        let mut claims = Vec::new();
        for setting in [&SUBJECT_CLAIM, &EMAIL_CLAIM, &GROUPS_CLAIM] {
            claims.push((setting, text(setting, "the name of a claim", &plain)?));
        }
        let Some(issuer) = issuer else {
            // Half of it is a mistake: people would find no login and nobody would know why.
            let said = [
                (&CLIENT_ID, client_id.is_some()),
                (&CLIENT_SECRET, client_secret.is_some()),
                (&SCOPES, scopes.is_some()),
                (&REDIRECT_PATH, redirect_path.is_some()),
            ];
            let claims = claims.iter().map(|(setting, claim)| (*setting, claim.is_some()));
            let said = said.into_iter().chain(claims).find(|(_, is_said)| *is_said);
            return said.map_or(Ok(None), |(setting, _)| Err(missing(&ISSUER, setting)));
        };
        let client_id = client_id.ok_or_else(|| missing(&CLIENT_ID, &ISSUER))?;
        if !has_public_url {
            return Err(ConfigError::Missing {
                key: "server.public_url",
                needed_by: ISSUER.key,
            });
        }
        let mut scopes = scopes.unwrap_or_else(|| SCOPES.default.to_owned());
        if !scopes.split(' ').any(|scope| scope == "openid") {
            scopes.insert_str(0, "openid ");
        }
        let claim = |n: usize| {
            let (setting, said) = &claims[n];
            said.clone().unwrap_or_else(|| setting.default.to_owned())
        };
        let claims = [claim(0), claim(1), claim(2)];
        Ok(Some(Self {
            issuer,
            client_id,
            client_secret: client_secret.map(|found| found.secret()).transpose()?,
            scopes,
            redirect_path: redirect_path.unwrap_or_else(|| REDIRECT_PATH.default.to_owned()),
            claims,
            require_verified_email,
        }))
    }
}

const fn missing(setting: &Setting, needed_by: &Setting) -> ConfigError {
    ConfigError::Missing {
        key: setting.key,
        needed_by: needed_by.key,
    }
}

/// Kept as it is written: the provider's own spelling is what tokens are compared with.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = text.parse::<http::Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback());
    text.len() <= 512
        && text.is_ascii()
        && !text.contains(['?', '#', '@', '\\'])
        && !host.is_empty()
        && (url.scheme_str() == Some("https") || url.scheme_str() == Some("http") && is_here)
}

/// `group=tenant:role`. Groups may hold `=` and `:`, as names of directories do.
fn grant(found: &Found, text: &str) -> Result<GroupGrant, ConfigError> {
    let expected = || {
        found.invalid(format!(
            "`group=tenant:role` with a role of {}, or `group=*:platform-admin`",
            ROLES.join(", ")
        ))
    };
    let (group, given) = text.rsplit_once('=').ok_or_else(expected)?;
    let (tenant, role) = given.rsplit_once(':').ok_or_else(expected)?;
    let (group, tenant, role) = (group.trim(), tenant.trim(), role.trim());
    let plain = |text: &str, most| {
        !text.is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
    };
    if !plain(group, 512) || !plain(tenant, 100) {
        return Err(expected());
    }
    let is_platform = (tenant, role) == PLATFORM;
    // `*` with a role of a tenant, and the platform's role in one tenant, are both mistakes.
    if !is_platform && (tenant == PLATFORM.0 || !ROLES.contains(&role)) {
        return Err(expected());
    }
    Ok(GroupGrant {
        group: group.to_owned(),
        tenant: (!is_platform).then(|| tenant.to_owned()),
        role: role.to_owned(),
    })
}

#[cfg(test)]
mod tests;
