//! A browser as far as cookies and redirects go: paths, and which cookies it sends when another site sent it.
use super::http::{Answer, Api, send};
use reqwest::Url;

struct Cookie {
    site: String,
    path: String,
    name: String,
    value: String,
    /// Only sent where our own page leads.
    strict: bool,
}

/// Somebody in front of a browser.
#[derive(Default)]
pub struct Visitor {
    cookies: Vec<Cookie>,
    /// Every answer on the way, with where it came from.
    pub trail: Vec<(Url, u16)>,
}

/// Where a browser came to rest.
pub struct Page {
    pub url: Url,
    pub answer: Answer,
}

impl Page {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.answer.status, status, "{}: {}", self.url, self.answer.text());
        self
    }
}

/// Ports stand for sites here: everything is on one machine.
fn site(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port().unwrap_or_default()
    )
}

impl Visitor {
    /// Types an address.
    pub async fn open(&mut self, url: &str) -> Page {
        let url = Url::parse(url).expect("an address");
        let own = site(&url);
        self.go(url, &own, None).await
    }

    /// Sends a form of the page it is on.
    pub async fn submit(&mut self, page: &Page, action: &str, form: &[(&str, &str)]) -> Page {
        let url = page.url.join(action).expect("an address");
        self.go(url, &site(&page.url), Some(form)).await
    }

    /// Follows the page's own refresh, as a click on its link would.
    pub async fn refreshed(&mut self, page: &Page) -> Page {
        let text = page.answer.text();
        let (_, rest) = text.split_once("content=\"0; url=").expect("a refresh");
        let to = rest.split('"').next().expect("an address");
        let url = page.url.join(to).expect("an address");
        self.go(url, &site(&page.url), None).await
    }

    async fn go(&mut self, url: Url, from: &str, form: Option<&[(&str, &str)]>) -> Page {
        let (mut url, mut form) = (url, form);
        for _ in 0..12 {
            let answer = self.ask(&url, from, form.take()).await;
            self.trail.push((url.clone(), answer.status));
            match answer
                .header("location")
                .filter(|_| (300..400).contains(&answer.status))
            {
                Some(to) => url = url.join(&to).expect("an address"),
                None => return Page { url, answer },
            }
        }
        panic!("sent round and round: {:?}", self.trail);
    }

    async fn ask(&mut self, url: &Url, from: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let own = site(url);
        let fits = |cookie: &&Cookie| {
            cookie.site == own && url.path().starts_with(&cookie.path) && (!cookie.strict || from == own)
        };
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(fits)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        let method = if form.is_some() { "POST" } else { "GET" };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", url.path());
        let api = Api::new(format!("http://{own}"), None);
        let mut request = api.request(method, &path).header("accept", "text/html");
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        if let Some(form) = form {
            let mut body = Url::parse("http://x/").expect("an address");
            body.query_pairs_mut().extend_pairs(form);
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.query().unwrap_or_default().to_owned());
        }
        let answer = send(request).await;
        for text in answer.headers.get_all("set-cookie") {
            self.keep(&own, url, text.to_str().expect("a cookie"));
        }
        answer
    }

    fn keep(&mut self, site: &str, url: &Url, text: &str) {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("a cookie");
        let (mut path, mut strict, mut gone) = (url.path().to_owned(), false, value.is_empty());
        for part in parts {
            match part
                .split_once('=')
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
            {
                Some((name, value)) if name == "path" => path = value.to_owned(),
                Some((name, value)) if name == "samesite" => strict = value.eq_ignore_ascii_case("strict"),
                Some((name, value)) if name == "max-age" => gone |= value == "0",
                Some((name, value)) if name == "expires" => gone |= value.contains("1970"),
                _ => {}
            }
        }
        self.cookies
            .retain(|cookie| !(cookie.site == site && cookie.name == name && cookie.path == path));
        if !gone {
            self.cookies.push(Cookie {
                site: site.to_owned(),
                path,
                name: name.to_owned(),
                value: value.to_owned(),
                strict,
            });
        }
    }

    /// What it keeps under a name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value.as_str())
    }

    /// Logs in at the provider as one of its people, from Garrison's address.
    pub async fn login(&mut self, gate: &str, who: &str) -> Page {
        let page = self.open(&format!("{gate}/api/auth/login")).await;
        if page.url.as_str().starts_with(gate) {
            // It knew them still, or it never came so far.
            return page;
        }
        let text = page.answer.text();
        let action = text
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let action = action
            .unwrap_or_else(|| panic!("no form: {} {text}", page.url))
            .to_owned();
        let form = [("prompt", "login"), ("login", who), ("password", "x")];
        self.submit(&page, &action, &form).await
    }

    /// Logs out at the provider, whose page asks whether one wants to.
    pub async fn log_out_there(&mut self, url: &str) -> Page {
        let page = self.open(url).await.expect(200);
        let text = page.answer.text();
        let field = |name: &str| {
            let (_, rest) = text
                .split_once(name)
                .unwrap_or_else(|| panic!("no {name} in {text}"));
            let value = rest.split('"').find(|part| part.len() > 8);
            value.expect("a value").to_owned()
        };
        let (action, xsrf) = (field("action="), field("name=\"xsrf\" value="));
        self.submit(&page, &action, &[("xsrf", &xsrf), ("logout", "yes")])
            .await
    }
}
