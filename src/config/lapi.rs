//! `CrowdSieve`'s list of LAPI servers: never read at a start, taken over once by `garrison lapi import`.

use secrecy::SecretString;

use super::error::ConfigError;
use super::source::Source;
use super::value::{Found, Input};

/// One server as the file has it; nothing but its form is checked.
#[derive(Debug, Clone)]
pub struct LapiServer {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The key that reads its decisions.
    pub api_key: SecretString,
    /// The machine that writes to it.
    pub machine_id: Option<String>,
    /// That machine's password.
    pub password: Option<SecretString>,
    /// Whether decisions from elsewhere go there.
    pub replicate_decisions: bool,
    /// The agents behind it, by their names.
    pub source_machine_ids: Vec<String>,
}

/// The servers of a `CrowdSieve` file, `${…}` of the environment put in.
///
/// # Errors
/// As the file is malformed; a server without name, `url` or `api_key` is.
pub fn lapi_servers(
    file: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<LapiServer>, ConfigError> {
    let source = Source::new(Some(file), environment)?;
    let Some(found) = source.part("lapi_servers")? else {
        return Ok(Vec::new());
    };
    match &found.input {
        Input::List(items) => items.iter().map(|item| server(&found, item)).collect(),
        Input::Null => Ok(Vec::new()),
        _ => Err(found.invalid("a list of servers")),
    }
}

fn server(found: &Found, item: &Input) -> Result<LapiServer, ConfigError> {
    let Input::Map(entries) = item else {
        return Err(found.invalid("a list of servers, each with name, url and api_key"));
    };
    let get = |name: &str| {
        entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    let text = |name: &str| match get(name) {
        None | Some(Input::Null) => Ok(None),
        Some(Input::Text(text)) if text.is_empty() => Ok(None),
        Some(Input::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(found.invalid(format!("servers whose {name} is a text in quotes"))),
    };
    let needed = |name: &str| text(name)?.ok_or_else(|| found.invalid(format!("servers that have a {name}")));
    let flag = match get("replicate_decisions") {
        None | Some(Input::Null) => false,
        Some(Input::Bool(value)) => *value,
        Some(Input::Text(text)) if text == "true" => true,
        Some(Input::Text(text)) if text == "false" => false,
        Some(_) => return Err(found.invalid("servers whose replicate_decisions is true or false")),
    };
    let ids = || found.invalid("servers whose source_machine_ids is a list of texts");
    let source_machine_ids = match get("source_machine_ids") {
        None | Some(Input::Null) => Vec::new(),
        Some(Input::List(items)) => items
            .iter()
            .map(|item| match item {
                Input::Text(text) => Ok(text.clone()),
                _ => Err(ids()),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(ids()),
    };
    Ok(LapiServer {
        name: needed("name")?,
        url: needed("url")?,
        api_key: needed("api_key")?.into(),
        machine_id: text("machine_id")?,
        password: text("password")?.map(Into::into),
        replicate_decisions: flag,
        source_machine_ids,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(file: &str) -> Result<Vec<LapiServer>, String> {
        let environment = |name: &str| (name == "KEY").then(|| "secret".to_owned());
        lapi_servers(file, &environment).map_err(|e| e.to_string())
    }

    #[test]
    fn a_crowdsieve_file_is_read() {
        let servers = read(
            "proxy: {listen_port: 8080}\nstorage: {type: sqlite}\nlapi_servers:\n  - name: a\n    url: http://a:8080\n    api_key: ${KEY}\n\
             \x20 - {name: b, url: 'http://b', api_key: k, machine_id: m, password: '${P:-p}', replicate_decisions: true, source_machine_ids: [x, y]}\n",
        )
        .unwrap();
        assert_eq!(servers.len(), 2);
        assert_eq!(
            (servers[0].name.as_str(), servers[0].api_key.expose_secret()),
            ("a", "secret")
        );
        assert!(servers[0].machine_id.is_none() && !servers[0].replicate_decisions);
        assert_eq!(servers[1].password.as_ref().unwrap().expose_secret(), "p");
        assert!(servers[1].replicate_decisions);
        assert_eq!(servers[1].source_machine_ids, ["x", "y"]);
        assert!(read("proxy: {}\n").unwrap().is_empty() && read("lapi_servers:\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_missing_is_named_and_no_secret_shown() {
        for (file, word) in [
            ("lapi_servers: [{name: a, url: u}]", "api_key"),
            ("lapi_servers: [{url: u, api_key: k-secret}]", "name"),
            ("lapi_servers: [{name: a, api_key: k-secret}]", "url"),
            ("lapi_servers: {name: a}", "list"),
            ("lapi_servers: [a]", "list"),
            ("lapi_servers: [{name: a, url: u, api_key: 12345}]", "api_key"),
            ("lapi_servers: [{name: a, url: u, api_key: '${UNSET}'}]", "UNSET"),
            (
                "lapi_servers: [{name: a, url: u, api_key: k-secret, replicate_decisions: maybe}]",
                "replicate",
            ),
            (
                "lapi_servers: [{name: a, url: u, api_key: k-secret, source_machine_ids: x}]",
                "source_machine_ids",
            ),
        ] {
            let said = read(file).unwrap_err();
            assert!(
                said.contains(word) && !said.contains("k-secret"),
                "{file}: {said}"
            );
        }
    }
}
