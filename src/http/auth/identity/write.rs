//! What a settled identity changes, and its record.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Known, There};
use crate::db::{DbError, Entry, PlatformTx, TenantTx, sql};
use crate::http::Trace;
use crate::http::auth::actor::Actor;
use crate::http::auth::groups::Step;

/// What is written at once, or not at all.
pub(super) struct Change<'a> {
    /// What becomes of the platform's admin.
    pub(super) admin: Option<bool>,
    /// How they came, where they log in.
    pub(super) login: Option<&'static str>,
    pub(super) trace: &'a Trace,
}

impl Change<'_> {
    pub(super) async fn write(
        &self,
        tx: PlatformTx<'_>,
        known: &Known,
        places: BTreeMap<i32, There>,
    ) -> Result<(), DbError> {
        if let Some(on) = self.admin {
            tx.execute(sql!("platform/update_person_admin_by_groups"), &[&known.id, &on])
                .await?;
        }
        if self.login.is_some() {
            tx.execute(sql!("platform/update_person_login"), &[&known.id, &None::<i64>])
                .await?;
        }
        // In one order, because each record makes the tenant's others wait.
        let mut there = places
            .into_values()
            .filter(|place| place.step.is_some() || self.admin.is_some() || self.login.is_some());
        let Some(first) = there.next() else {
            return tx.commit().await;
        };
        let mut tx = tx.into_tenant(first.tenant).await?;
        self.write_there(&tx, known, &first).await?;
        for place in there {
            tx = tx.into_tenant(place.tenant).await?;
            self.write_there(&tx, known, &place).await?;
        }
        tx.commit().await
    }

    async fn write_there(&self, tx: &TenantTx<'_>, known: &Known, place: &There) -> Result<(), DbError> {
        let tenant = tx.tenant().id();
        let by = self.trace.by(&Actor::User {
            id: known.id,
            name: known.email.as_str().into(),
        });
        let target = known.id.to_string();
        let mut done: Vec<(&'static str, Value)> = Vec::new();
        match place.step {
            Some(step @ (Step::Join(role) | Step::Change(role))) => {
                tx.execute(
                    sql!("member/upsert_by_groups"),
                    &[&tenant, &known.id, &role.code()],
                )
                .await?;
                let action = if matches!(step, Step::Join(_)) {
                    "user.join"
                } else {
                    "user.change"
                };
                done.push((action, json!({ "role": role.name(), "by": "groups" })));
            }
            Some(Step::Leave) => {
                tx.execute(sql!("member/delete_by_groups"), &[&tenant, &known.id])
                    .await?;
                done.push(("user.remove", json!({ "by": "groups" })));
            }
            None => {}
        }
        if let Some(on) = self.admin {
            done.push(("user.platform-admin", json!({ "on": on, "by": "groups" })));
        }
        if let Some(by) = self.login.filter(|_| place.stays) {
            done.push(("user.login", json!({ "by": by })));
        }
        for (action, details) in done {
            tx.record_by(&by, Entry::done(action, &target, details)).await?;
        }
        Ok(())
    }
}
