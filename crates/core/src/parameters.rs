//! What a pure function may not fetch for itself: the time of day and randomness.

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many microseconds after 1970.
    #[must_use]
    pub const fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// The instant this many seconds after 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `duration` more; stays at the end of time when it would pass it.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant less `duration`.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(
            u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0),
        )
    }
}

/// Which start of a machine: random, made by its kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Boot(pub [u8; 16]);

/// For how long a machine has been running since a start of it: a clock that also counts while it
/// sleeps, and that nobody sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uptime {
    /// Which start.
    pub boot: Boot,
    /// How long ago that is.
    pub since: std::time::Duration,
}

impl Uptime {
    /// How much time has passed since an earlier reading; none if the machine was started anew.
    #[must_use]
    pub fn after(self, earlier: Self) -> Option<std::time::Duration> {
        (self.boot == earlier.boot).then(|| self.since.saturating_sub(earlier.since))
    }
}

/// The clocks of a machine. Only the binary has real ones.
pub trait Clock: Send + Sync {
    /// The time of day now.
    fn now(&self) -> Timestamp;

    /// For how long the machine has been running; none where that cannot be told. Then no time
    /// limit is ever counted out.
    fn uptime(&self) -> Option<Uptime> {
        None
    }
}

/// A source of random bytes fit for secrets. Only the binary has a real one.
pub trait Randomness: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// A position in the log: the number of changes up to and including one. Zero is the empty log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(u64);

impl Revision {
    /// The empty log.
    pub const ZERO: Self = Self(0);

    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision that the next change will have.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which life of a store a revision belongs to. A restored or copied store starts a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch {
    /// Orders epochs.
    pub counter: u64,
    /// Tells two epochs with the same counter apart.
    pub nonce: [u8; 16],
}
