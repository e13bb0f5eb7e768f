package page

import (
	"fmt"
	"time"
)

// instant is a time for programs and for people; without scripts a page cannot know the reader's time zone.
type instant struct{ Machine, Human string }

func clock(t time.Time) instant {
	t = t.UTC()
	return instant{t.Format(time.RFC3339), t.Format("2 January 2006, 15:04") + " UTC"}
}

// Plain rounds to what a person would say.
func Plain(d time.Duration) string {
	switch {
	case d <= 0:
		return "a moment"
	case d < 2*time.Minute:
		return plural(int(d.Round(time.Second)/time.Second), "second")
	case d < 2*time.Hour && d.Round(time.Minute) != time.Hour:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
