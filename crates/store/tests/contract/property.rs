//! Properties whose check is asynchronous, which `proptest!` cannot run.

use std::fmt::Debug;

use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use uuid::Uuid;

/// How many simpler cases are tried once one has failed.
const MOST_SHRINKS: u32 = 300;

/// Checks that a property holds of so many random cases (or as many as `PROPTEST_CASES` says); of one
/// that fails, says the simplest found and how to get it again.
pub(crate) async fn for_all<S>(
    cases: u32,
    strategy: &S,
    holds: impl AsyncFn(S::Value) -> Result<(), String>,
) where
    S: Strategy,
    S::Value: Debug + Clone,
{
    let seed = std::env::var("MAINSTAY_TEST_SEED")
        .ok()
        .map_or_else(crate::fixtures::fresh::<Uuid>, |seed| {
            seed.parse().expect("MAINSTAY_TEST_SEED is a seed that a failure told")
        });
    let bytes = [*seed.as_bytes(), *seed.as_bytes()].concat();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    for _ in 0..cases {
        let mut tree = strategy.new_tree(&mut runner).unwrap();
        let mut simplest = tree.current();
        let Err(mut reason) = holds(simplest.clone()).await else { continue };
        let mut simpler = tree.simplify();
        for _ in 0..MOST_SHRINKS {
            if !simpler {
                break;
            }
            let case = tree.current();
            simpler = match holds(case.clone()).await {
                Err(why) => {
                    (simplest, reason) = (case, why);
                    tree.simplify()
                }
                Ok(()) => tree.complicate(),
            };
        }
        panic!("{reason}\nin the case {simplest:#?}\nagain with MAINSTAY_TEST_SEED={seed}");
    }
}
