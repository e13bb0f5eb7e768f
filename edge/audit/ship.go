package audit

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	collectEvery = 200 * time.Millisecond
	shipEvery    = 200 * time.Millisecond
	sendTimeout  = 10 * time.Second
	maxBackoff   = 5 * time.Second
	lastFlush    = 5 * time.Second
)

// Run ships until ctx is cancelled, and then what is left, for a bounded time.
func (l *Log) Run(ctx context.Context) error {
	var gathering sync.WaitGroup
	defer gathering.Wait()
	gathering.Go(func() { l.gather(ctx) })
	return l.ship(ctx)
}

// gather empties the shards while a report is on its way, which may be long: one tenant's requests would fill them, and
// cost others their records.
func (l *Log) gather(ctx context.Context) {
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-l.full:
		}
		l.mu.Lock()
		l.collect()
		l.mu.Unlock()
	}
}

func (l *Log) ship(ctx context.Context) error {
	backoff := time.Duration(0)
	for {
		timer := time.NewTimer(max(shipEvery, backoff))
		select {
		case <-ctx.Done():
			timer.Stop()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := l.flush(last); err != nil {
				l.config.Log.ErrorContext(ctx, "audit records could not be delivered before the end", slog.Int64("records", l.Pending()), slog.Any("error", err))
			}
			return nil
		case <-l.urgent:
			// A woken shipper still minds the backoff: ends of sessions are sent by ReportNow, which does not.
			if backoff > 0 {
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
					continue
				}
			}
		case <-timer.C:
		}
		if err := l.flush(ctx); err != nil && ctx.Err() == nil {
			if backoff == 0 {
				l.config.Log.WarnContext(ctx, "audit records cannot be delivered; they are kept", slog.Any("error", err))
			}
			// Full jitter, so that edges do not come back together.
			backoff = shipEvery + rand.N(min(max(2*backoff, time.Second), maxBackoff)) //nolint:gosec // to spread load
			continue
		}
		backoff = 0
	}
}

var (
	errNoProgress = errors.New("the control plane stored nothing")
	errLostEnd    = errors.New("the end of a session was lost before it was delivered")
)

// flush sends until nothing is left, or something fails.
func (l *Log) flush(ctx context.Context) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	for {
		request := l.next()
		if len(request.GetBatches()) == 0 {
			return nil
		}
		if err := l.send(ctx, request); err != nil {
			return err
		}
	}
}

// acquire waits for its turn to send.
func (l *Log) acquire(ctx context.Context) error {
	select {
	case l.sending <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) release() { <-l.sending }

// next is a call's worth of the oldest records, of as many tenants as have some.
func (l *Log) next() *edgev1.ReportRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect()
	request, room := &edgev1.ReportRequest{BootId: l.config.BootID}, batchBytes
	for _, s := range l.spools.byTenant {
		if len(s.records) == 0 {
			continue
		}
		b, size := s.batch(room)
		request.Batches = append(request.Batches, b)
		if room -= size; room <= 0 {
			break
		}
	}
	return request
}

func (l *Log) send(ctx context.Context, request *edgev1.ReportRequest) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	response, err := l.config.Send(ctx, request)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	progress := 0
	seen := map[string]bool{}
	for _, a := range response.GetStored() {
		seen[a.GetTenantUid()] = true
		progress += l.spools.stored(a)
	}
	for _, b := range request.GetBatches() {
		// What the control plane takes nothing of, because the pool does not serve the tenant any more, nobody ever will.
		if s := l.spools.byTenant[b.GetTenantUid()]; s != nil && !seen[s.tenantUID] && !l.config.Serves(s.tenantUID) {
			progress += l.spools.drop(s)
		}
	}
	l.publish()
	if progress == 0 {
		return errNoProgress
	}
	return nil
}

// ReportNow delivers what a tenant has, ends of sessions included, and returns the urgent revision that says so everywhere
// and whether every edge already enforces it. It returns an error if that is not known when ctx ends, and the records are
// kept; or if an end was lost.
func (l *Log) ReportNow(ctx context.Context, tenantUID string) (urgent int64, enforced bool, err error) {
	l.mu.Lock()
	l.collect()
	s := l.spools.of(tenantUID)
	until := s.next - 1
	lost := s.lostEnd > s.acked
	l.mu.Unlock()
	if err := l.acquire(ctx); err != nil {
		return 0, false, err
	}
	defer l.release()
	for {
		l.mu.Lock()
		if len(s.records) == 0 || s.records[0].GetSeq() > until {
			urgent, enforced = s.urgent, s.enforced
			lost = lost || s.lostEnd > s.acked // meanwhile, as nobody serves the tenant
			l.mu.Unlock()
			if lost {
				return 0, false, errLostEnd
			}
			return urgent, enforced, nil
		}
		b, _ := s.batch(batchBytes)
		l.mu.Unlock()
		if err := l.send(ctx, &edgev1.ReportRequest{BootId: l.config.BootID, Batches: []*edgev1.Batch{b}}); err != nil {
			return 0, false, err
		}
	}
}
