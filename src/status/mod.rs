//! What a daemon tells about itself: plain data (`snapshot`), all daemons of a machine together and what is wrong there
//! (`overview`), and that on one screen (`render`). Pure.

pub mod overview;
pub mod render;
pub mod snapshot;
mod table;
