//! Who gets in, who manages whom, and what a request has to say of itself.

mod database;
mod hosts;
mod managing;
mod pages;
mod proxies;
mod signing_in;
mod tokens;
