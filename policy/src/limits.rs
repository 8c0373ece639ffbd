//! What a rule may cost. Cedar needs about 1.2 µs for each policy it is given, so the numbers below are what keeps a
//! decision within its promised time.

/// Bytes of one policy: room for a grant on 1,000 resources by id; a longer one is better said as two.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Brackets within brackets: far more than a person can follow, and far less than a thread's stack.
pub(crate) const NESTING_MAX: usize = 32;

/// Operators in one policy: bounds the depth of a chain such as `a && b && …`, which nests without brackets.
pub(crate) const OPERATORS_MAX: usize = 2_048;

/// Cedar policies in one snapshot, grants multiplied by their subjects: a first load of a few seconds.
pub(crate) const RULES_MAX: usize = 20_000;

/// Policies without a resource in their scope that are about one and the same user, group or type, or about everybody:
/// a decision evaluates them all.
pub(crate) const UNSCOPED_MAX: usize = 400;

/// Policies that one decision evaluates; above it the decision is a denial, because it could not be in time.
pub(crate) const EVALUATED_MAX: usize = 800;

/// Groups that one group inherits from, itself included.
pub(crate) const ANCESTORS_MAX: usize = 256;

/// Groups that one principal may have, the inherited ones included.
pub(crate) const GROUPS_MAX: usize = 4_096;

/// Windows in one snapshot; each decision knows all that are open.
pub(crate) const WINDOWS_MAX: usize = 256;

/// Thresholds in one snapshot.
pub(crate) const THRESHOLDS_MAX: usize = 64;
