//! The only `unsafe` of the program, each block with the reason why it is sound: calls that no safe wrapper offers.
