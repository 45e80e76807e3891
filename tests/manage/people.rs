//! People by `/api/users` and `garrison user`: invitations, roles, resets.
use crate::support::garrison::text;
use crate::support::http::Api;
use crate::support::world::World;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

async fn invite(api: &Api, email: &str, role: &str) -> Value {
    api.post(
        "/api/users",
        &json!({"email": email, "name": "Ada", "role": role}),
    )
    .await
    .expect(201)
    .json()
}

async fn accept(world: &World, invited: &Value, password: &str) -> u16 {
    let nobody = Api::new(world.server().url(), None);
    let body = json!({"token": text(invited, "token"), "password": password});
    nobody.post("/api/invitations/accept", &body).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_invited_comes_in_and_goes() {
    let world = World::start().await;
    let api = world.api();
    let invited = invite(&api, " Ada@Example.org ", "viewer").await;
    assert_eq!(invited["email"], "ada@example.org");
    let list = api.get("/api/invitations").await.expect(200);
    assert!(!list.text().contains(&text(&invited, "token")), "shown once");
    assert_eq!(list.json()[0]["email"], "ada@example.org");
    assert_eq!(accept(&world, &invited, "short").await, 400);
    assert_eq!(accept(&world, &invited, PASSWORD).await, 204);
    assert_eq!(accept(&world, &invited, PASSWORD).await, 404, "once");
    let users = api.get("/api/users").await.expect(200).json();
    assert_eq!(
        (&users[0]["email"], &users[0]["role"]),
        (&json!("ada@example.org"), &json!("viewer"))
    );
    let path = format!("/api/users/{}", text(&users[0], "id"));
    let patch =
        |role: &str| crate::support::http::send(api.request("PATCH", &path).json(&json!({"role": role})));
    assert_eq!(patch("admin").await.expect(200).json()["role"], "admin");
    patch("operator").await.expect(409);
    patch("god").await.expect(400);
    api.delete(&path).await.expect(409);
    // with a second admin the first may go
    let second = invite(&api, "bob@example.org", "admin").await;
    assert_eq!(accept(&world, &second, PASSWORD).await, 204);
    patch("operator").await.expect(200);
    api.delete(&path).await.expect(204);
    api.delete(&path).await.expect(404);
    // an invitation can be taken back
    let third = invite(&api, "carol@example.org", "helpdesk").await;
    api.delete(&format!("/api/invitations/{}", text(&third, "id")))
        .await
        .expect(204);
    assert_eq!(accept(&world, &third, PASSWORD).await, 404);
    for wrong in [
        json!({"email": "ada", "role": "viewer"}),
        json!({"email": "a@b.org"}),
        json!({"email": "a@b.org", "role": "god"}),
    ] {
        api.post("/api/users", &wrong).await.expect(400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_who_leave_at_once_do_not_both() {
    let world = World::start().await;
    let api = world.api();
    for email in ["ada@example.org", "bob@example.org"] {
        let invited = invite(&api, email, "admin").await;
        assert_eq!(accept(&world, &invited, PASSWORD).await, 204);
    }
    let users = api.get("/api/users").await.json();
    let gone = users.as_array().expect("a list").iter().map(|user| {
        let (api, path) = (api.clone(), format!("/api/users/{}", text(user, "id")));
        async move { api.delete(&path).await.status }
    });
    let mut statuses = futures_util::future::join_all(gone).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_not_taken_over_by_a_tenant_that_invites_it() {
    let world = World::start().await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let (acme, umbrella) = (world.api_of(&acme), world.api_of(&umbrella));
    let first = invite(&acme, "ada@example.org", "admin").await;
    assert_eq!(accept(&world, &first, PASSWORD).await, 204);
    // the same answer as for somebody new, and no way in without the password
    let second = invite(&umbrella, "ada@example.org", "viewer").await;
    assert_eq!(accept(&world, &second, "another password").await, 401);
    assert_eq!(umbrella.get("/api/users").await.json(), json!([]));
    assert_eq!(accept(&world, &second, PASSWORD).await, 204);
    let user = umbrella.get("/api/users").await.json()[0].clone();
    assert_eq!(user["role"], "viewer");
    let path = format!("/api/users/{}/reset-password", text(&user, "id"));
    for api in [&acme, &umbrella] {
        api.post(&path, &json!({})).await.expect(403);
    }
    // who belongs nowhere else gets a new one, once
    let bob = invite(&acme, "bob@example.org", "viewer").await;
    assert_eq!(accept(&world, &bob, PASSWORD).await, 204);
    let users = acme.get("/api/users").await.json();
    let bob = users
        .as_array()
        .expect("a list")
        .iter()
        .find(|u| u["email"] == "bob@example.org");
    let path = format!("/api/users/{}/reset-password", text(bob.expect("bob"), "id"));
    let reset = acme.post(&path, &json!({})).await.expect(201).json();
    let body = json!({"token": text(&reset, "token"), "password": "a wholly new one"});
    let nobody = Api::new(world.server().url(), None);
    let short = json!({"token": text(&reset, "token"), "password": "short"});
    nobody.post("/api/password/reset", &short).await.expect(400);
    nobody.post("/api/password/reset", &body).await.expect(204);
    nobody.post("/api/password/reset", &body).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_the_same() {
    let world = World::start().await;
    let cli = &world.cli;
    let made = cli
        .json(&[
            "user",
            "add",
            "ada@example.org",
            "--tenant",
            "default",
            "--role",
            "operator",
        ])
        .await;
    assert!(text(&made, "token").starts_with("grp_"));
    cli.run(&["user", "add", "ada@example.org"])
        .await
        .expect_refused();
    cli.run(&["user", "add", "nobody"]).await.expect_refused();
    cli.run(&["user", "add", "bob@example.org", "--tenant", "nowhere"])
        .await
        .expect_refused();
    let users = world.api().get("/api/users").await.expect(200).json();
    assert_eq!(users[0]["role"], "operator");
    cli.run(&["user", "role", "ada@example.org", "--tenant", "default", "admin"])
        .await
        .expect_ok();
    cli.run(&["user", "remove", "ada@example.org", "--tenant", "default"])
        .await
        .expect_refused();
    cli.run(&["user", "disable", "ada@example.org"]).await.expect_ok();
    cli.run(&["user", "reset-password", "ada@example.org"])
        .await
        .expect_refused();
    cli.run(&["user", "enable", "ada@example.org"]).await.expect_ok();
    cli.run(&["user", "reset-password", "ada@example.org"])
        .await
        .expect_ok();
    cli.run(&["user", "add", "root@example.org", "--platform-admin"])
        .await
        .expect_ok();
    let all = cli.json(&["user", "list"]).await;
    assert_eq!(all[1]["platform_admin"], true, "{all}");
    let of_tenant = cli.json(&["user", "list", "--tenant", "default"]).await;
    assert_eq!(of_tenant.as_array().expect("a list").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_no_way_to_try_passwords() {
    let world = World::start().await;
    let umbrella = world.tenant("umbrella").await;
    let first = invite(&world.api(), "ada@example.org", "viewer").await;
    assert_eq!(accept(&world, &first, PASSWORD).await, 204);
    let second = invite(&world.api_of(&umbrella), "ada@example.org", "viewer").await;
    for n in 0..10 {
        assert_eq!(accept(&world, &second, "another password").await, 401, "{n}");
    }
    assert_eq!(accept(&world, &second, PASSWORD).await, 429);
}
