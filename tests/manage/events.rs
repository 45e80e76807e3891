use crate::support::world::World;
