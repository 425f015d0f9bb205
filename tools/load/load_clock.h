#pragma once

#include <cstdint>

namespace spillway::load {

// The clock of due times and receipts: monotonic, which all processes of a machine share, or Unix
// time where publishers run on other machines, as exact as these are synchronised.
enum class ClockKind : uint8_t { kMonotonic, kRealtime };

void UseClock(ClockKind kind);  // before any thread starts
int64_t NowNs();                // any thread
// Sleeps until NowNs() is `ns`, as exactly as the kernel can. Any thread.
void SleepUntil(int64_t ns);

}  // namespace spillway::load
