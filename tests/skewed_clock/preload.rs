//! Loaded into a process before everything else (`LD_PRELOAD`), it sets that process's clock ahead by
//! `SKEWED_CLOCK_SECONDS`. The clock that only counts how time passes stays as it is. Built by `build.rs`.

use std::{
    ffi::{c_int, c_long},
    sync::OnceLock,
};

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: c_long = 113;

/// `CLOCK_REALTIME` and its coarse form.
const OF_DAY: [c_int; 2] = [0, 5];

/// In place of the C library's.
///
/// # Safety
/// As of `clock_gettime(2)`: `time` is null or points to a `timespec`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    // SAFETY: passed on as it came; the kernel checks the address.
    let failed = unsafe { syscall(CLOCK_GETTIME, c_long::from(clock), time) };
    if failed == 0 && OF_DAY.contains(&clock) {
        // SAFETY: the kernel has just written to it.
        unsafe { (*time).seconds += ahead() };
    }
    failed as c_int
}

fn ahead() -> i64 {
    static AHEAD: OnceLock<i64> = OnceLock::new();
    *AHEAD.get_or_init(|| {
        let set = std::env::var("SKEWED_CLOCK_SECONDS");
        set.ok().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
    })
}
