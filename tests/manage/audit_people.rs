//! The audit trail of logins, and of what people do without a token.
use super::audit::trail;
use crate::support::browser::{Browser, PASSWORD};
use crate::support::garrison::text;
use crate::support::http::{Api, send};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn what_people_do_with_a_text_that_they_were_given_is_theirs() {
    let world = World::start().await;
    let api = world.api();
    let nobody = Api::new(world.server().url(), None);
    let ada = json!({"email": "ada@example.org", "role": "admin"});
    let invited = api.post("/api/users", &ada).await.expect(201).json();
    let accept = json!({"token": invited["token"], "password": "correct horse battery"});
    nobody.post("/api/invitations/accept", &accept).await.expect(204);
    let joined = &trail(&api, "action=user.join").await[0];
    assert_eq!(joined["actor"]["type"], "user");
    assert_eq!(joined["actor"]["name"], "ada@example.org");
    let user = joined["target"].as_str().expect("a number").to_owned();
    let path = format!("/api/users/{user}/reset-password");
    let reset = api.post(&path, &json!({})).await.expect(201).json();
    let password = json!({"token": reset["token"], "password": "another horse battery"});
    nobody.post("/api/password/reset", &password).await.expect(204);
    let set = &trail(&api, "action=user.password").await[0];
    assert_eq!(set["actor"]["name"], "ada@example.org", "{set}");
    assert_eq!(set["target"], user.as_str(), "{set}");
}

#[tokio::test]
async fn logins_and_what_people_do_are_on_record() {
    let world = World::start().await;
    let api = world.api();
    let ada = Browser::member(&world, "ada@example.org", "default", "operator").await;
    let login = &trail(&api, "action=user.login").await[0];
    assert_eq!(login["actor"]["name"], "ada@example.org", "{login}");
    assert_eq!(login["outcome"], "done", "{login}");
    let nobody = Api::new(world.server().url(), None);
    let wrong = json!({"email": "ada@example.org", "password": "not this one at all"});
    nobody.post("/login", &wrong).await.expect(401);
    wait::until_true("the refusal is on record", wait::secs(10), || async {
        let refused = trail(&api, "action=user.login&outcome=refused").await;
        refused.len() == 1 && refused[0]["actor"]["name"] == "ada@example.org"
    })
    .await;
    let change = json!({"current": PASSWORD, "new": "another horse battery"});
    ada.post("/api/me/password", &change).await.expect(204);
    let set = &trail(&api, "action=user.password").await[0];
    assert_eq!(set["details"]["by"], "own", "{set}");
    let root = Browser::person(&world, &["user", "add", "root@example.org", "--platform-admin"]).await;
    let tenant = json!({"name": "umbrella"});
    let made = root.post("/api/tenants", &tenant).await.expect(201).json();
    let rename = root.request("PATCH", &format!("/api/tenants/{}", made["id"]));
    send(rename.json(&json!({"name": "umbrella-2"})))
        .await
        .expect(200);
    let token = world
        .cli
        .json(&["token", "add", "--tenant", "umbrella-2", "--scope", "admin"])
        .await;
    let theirs = trail(&world.server().api(Some(&text(&token, "token"))), "actor=user").await;
    let actions: Vec<&Value> = theirs.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["tenant.change", "tenant.create"], "{theirs:?}");
    assert_eq!(theirs[0]["actor"]["name"], "root@example.org (platform)");
}
