// Package window tells whether an instant is in one of some hours of the week,
// such as MONDAY to FRIDAY, 09:00 to 17:00 in Europe/Berlin, and when that
// changes. It must never ask a clock or the machine: the instant is a fact, and
// zones come from package zone.
//
// # What a window is
//
// A set of readings of the wall clock. An instant is in the window if what the
// clock of the zone then shows, weekday and time of day, is:
//
//	start < end    a day listed, and start ≤ time < end
//	end ≤ start    over night: a day listed, and start ≤ time
//	               or the day before listed, and time < end
//
// So 22:00 to 06:00 on FRIDAY ends on Saturday morning, and 09:00 to 09:00 is
// 24 hours. All that clocks do follows, without a rule of its own:
//
//   - clocks go forward (02:00 is followed by 03:00): 02:30 to 04:00 begins at
//     03:00, where the gap ends, and 02:10 to 02:50 is not that day;
//   - clocks go back (03:00 is followed by 02:00): 02:00 to 02:30 is twice, and
//     between both it is over;
//   - a day that the zone skipped (30 December 2011 in Pacific/Apia) is no day
//     of its windows; the day before Saturday is Friday even so;
//   - 29 February is a day of the week like any other.
//
// # Why it is compiled
//
// All windows of a zone become one sorted list of the seconds of the week at
// which the answer changes. Overlapping, touching and overnight windows are
// then nothing special, and both questions are one binary search.
package window
