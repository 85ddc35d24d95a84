package broker

import (
	"context"
	"errors"
	"time"
)

// Close ends the broker in order: what is written is acknowledged, leaderships
// go, what was taken up is answered, logs are synced and closed, and a marker
// says that the stop was clean. When ctx ends, connections that still wait are
// cut; data is safe either way.
func (b *Broker) Close(ctx context.Context) error {
	b.http.draining.Store(true)
	b.finishWrites(ctx)
	told := b.tellPlaces(ctx)
	if b.o.Conf.HasRole("broker") {
		if err := b.control.Leave(ctx); err != nil {
			b.o.Log.Warn("leaving without the controller's consent", "error", err)
		}
	}
	b.control.HandOver()
	epoch, _ := b.control.Registered()
	drained := make(chan error, 1)
	go func() { drained <- b.server.Shutdown(ctx) }() // joined below
	b.replicas.Shutdown()                             // who waits hears of it, so that the server can drain
	if err := <-drained; err != nil {
		b.o.Log.Warn("connections were cut", "error", err)
	}
	err := b.end()
	if err == nil && epoch > 0 && told {
		err = b.leave(epoch)
	}
	return errors.Join(err, b.unlock())
}

// ackPatience is how long a stop waits for what has been written to become
// durable and acknowledged; a high watermark may be frozen for much longer.
const ackPatience = 5 * time.Second

// finishWrites takes no more up and acknowledges what is written, while this
// broker still leads.
func (b *Broker) finishWrites(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	b.replicas.Quiesce(ctx)
}

// tellPatience is how long a stop waits for the controller to learn where the
// newest replicas lie.
const tellPatience = 2 * time.Second

// tellPlaces says whether the controller knows where every log lies that has files.
func (b *Broker) tellPlaces(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, tellPatience)
	defer cancel()
	told := b.replicas.TellPlaces(ctx)
	if !told {
		b.o.Log.Warn("the controller was not told where the newest partitions lie: the next start takes this stop for an unclean one")
	}
	return told
}

// leave writes the marker. Only when everything is on disk and the controller
// knows where: it believes it (S1).
func (b *Broker) leave(epoch int64) error {
	return leaveMarker(b.o.FS, b.metadataDir(), marker{epoch: epoch, boot: b.boot})
}

// end stops the parts and closes what is on disk.
func (b *Broker) end() error {
	b.stop()
	b.http.close()
	b.parts.Wait()
	b.peers.close()
	return errors.Join(b.logs.Close(), b.control.Close())
}

func (b *Broker) unlock() error {
	var errs []error
	for _, l := range b.locks {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// abandon undoes a start that has failed. It leaves no marker: nothing was
// served, and the next start may as well look twice.
func (b *Broker) abandon() {
	if b.stop != nil {
		b.stop()
	}
	if b.http != nil {
		b.http.close()
	}
	if b.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = b.server.Shutdown(ctx) // nothing has been accepted
		cancel()
	}
	b.parts.Wait()
	if b.logs != nil {
		_ = b.logs.Close() // the first error is what counts
	}
	if b.control != nil {
		b.peers.close()
		_ = b.control.Close()
	}
	if b.stores != nil {
		_ = b.stores.Closer.Close()
	}
	_ = b.unlock()
}
