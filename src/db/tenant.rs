/// The right to see one tenant's rows.
///
/// Made by authentication, by a lane's lease and by the command line, nowhere else (a contract test holds the
/// callers of [`Tenant::proven`]); every query on a tenant's data asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tenant {
    id: i32,
}

impl Tenant {
    /// The tenant that a credential or a lease has just proven.
    #[must_use]
    pub const fn proven(id: i32) -> Self {
        Self { id }
    }

    /// Its number, as in every `tenant_id` column.
    #[must_use]
    pub const fn id(self) -> i32 {
        self.id
    }
}
