#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| registry_fuzz::retry_after::check(data));
