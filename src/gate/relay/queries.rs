//! What passes by and changes the tenant's set.

use crate::db::{Db, DbError, sql};
use crate::http::Machine;

/// Takes back what the machine signalled under these names.
pub async fn delete_lifted(db: &Db, machine: &Machine, uuids: &[String]) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, machine.tenant).await?;
    tx.execute(
        sql!("relay/delete_lifted"),
        &[&machine.tenant.id(), &machine.id, &uuids],
    )
    .await?;
    tx.commit().await
}
