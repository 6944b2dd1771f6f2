use num_rational::Ratio;

/// Exact fractions for the arithmetic inside a component. Inputs are bounded by the model's
/// thresholds before they get here, so `i64` cannot overflow.
pub(super) type Fraction = Ratio<i64>;

/// Rounds half up (0.5 → 1, also for negative halves: −0.5 → 0).
pub(super) fn round_half_up(value: Fraction) -> i64 {
    (value + Fraction::new(1, 2)).floor().to_integer()
}

/// `part / whole × points`, exact.
pub(super) fn share(part: i64, whole: i64, points: i64) -> Fraction {
    Fraction::new(part, whole) * points
}
