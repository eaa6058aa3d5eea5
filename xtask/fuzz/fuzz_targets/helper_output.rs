#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| registry_fuzz::helper_output::check(data));
