//! How often each dangerous situation came up.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)+) => {
        /// How often each situation came up.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            /// Adds those of another run.
            pub const fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// All of them, by name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

counters! {
    /// Things that happened at all.
    events
    /// Messages through the codec.
    messages
    /// Times somebody stood at a door.
    presented
    /// Times it opened.
    opened
    /// Refusals that a page said to be confirmed by a door.
    confirmed
    /// Refusals that a page said to be over by a door's time limit.
    ended_by_limit
    /// Times a page said that somebody is on a cut-off door's emergency list.
    on_emergency_list
    /// Times a page said that a door cannot confirm, because its disk fails.
    disk_failed
    /// Stores that were restored from an earlier backup.
    restores
    /// Times the wrong backup was put back, doors confirmed to it, and then the right one was.
    wrong_backups
    /// Agents that would not go on with a copy of the store.
    forks_doubted
    /// Syncs that failed.
    failed_syncs
    /// Cards that were given to somebody else.
    reissued
    /// Agents that went down with a refusal in memory that no disk had.
    down_before_durable
    /// Refusals that overtook a table.
    overtaken
    /// Agents that went down with a refusal that overtook something on its way to the disk.
    down_during_overtaking
    /// Leases that outlived a process.
    leases_outlived
    /// Power cuts of agents.
    power_cuts
    /// Renewals that were asked for while tables were sent that are not acknowledged.
    renewed_while_stalled
    /// Server crashes.
    server_crashes
    /// Times somebody set the server's time of day.
    server_clock_set
    /// Agents replaced.
    replaced
    /// Refusals that a restored store took over from a door.
    taken_over
    /// Testimonies that somebody made up.
    forged
    /// Refusals that a connected door confirmed in time.
    in_time
}
