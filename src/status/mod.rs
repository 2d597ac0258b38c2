//! What a daemon tells about itself: plain data (`snapshot`) and its rendering (`render`). Pure.

pub mod snapshot;
