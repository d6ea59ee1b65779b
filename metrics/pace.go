package metrics

import "time"

// pace is how many boots have ended lately.
type pace struct{ marks []mark }

// mark is how many had ended at a time.
type mark struct {
	at    time.Time
	ended int
}

const (
	markEvery = time.Second
	maxMarks  = 10
)

// rate is how many boots a second ended in the last ten seconds, or since none had
// where that is later: that the first take their time is nothing that slows the rest.
func (p *pace) rate(started, now time.Time, ended int) float64 {
	if len(p.marks) == 0 {
		p.marks = append(p.marks, mark{at: started})
	}
	if ended == 0 {
		p.marks = append(p.marks[:0], mark{at: now})
	}
	oldest := p.marks[0]
	if now.Sub(p.marks[len(p.marks)-1].at) >= markEvery {
		p.marks = append(p.marks, mark{now, ended})
	}
	if len(p.marks) > maxMarks {
		p.marks = append(p.marks[:0], p.marks[1:]...)
	}
	since := now.Sub(oldest.at).Seconds()
	if since <= 0 {
		return 0
	}
	return float64(ended-oldest.ended) / since
}
