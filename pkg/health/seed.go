// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"time"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
)

const (
	// nearlyFull is the share of a queue from which on it counts as nearly full.
	nearlyFull = 0.8
	// wellBelow is the share below which it does not count as nearly full any more: each scrape adds some.
	wellBelow = 0.7
	// intervals is for how many scrapes nothing must arrive before something is wrong. One scrape may fail.
	intervals = 2
	// minLength is the shortest time that is looked at. A request may take that long.
	minLength = 10 * time.Second
	// ownSamples is how many samples a scrape yields of itself, even if it fails (scrape/scrape.go of Prometheus, report).
	ownSamples = 5
	// Patience is for how long a collector may not answer before that is more than a restart.
	Patience = time.Minute
	// startPatience is for how long a collector may not answer that has never been seen to answer.
	startPatience = 10 * time.Minute
)

// SeedWindow returns the length of the window for a collector that scrapes at the given interval.
func SeedWindow(interval time.Duration) time.Duration {
	return max(intervals*interval, minLength)
}

// SeedInput is what is known of the collector of a seed.
type SeedInput struct {
	// Interval is that of its scrapes.
	Interval time.Duration
	// Window is what it has told.
	Window *Window
	// Silence is for how long it has not answered.
	Silence time.Duration
	// Unanswered is why it has not answered, or nil if it has.
	Unanswered error
	// WasNearlyFull says that its queue was nearly full when it was judged last.
	WasNearlyFull bool
	// Endpoint is where it pushes to.
	Endpoint string
	// Certificate returns why the certificate of the endpoint cannot be verified, or an empty string. It is asked if nothing is delivered.
	Certificate func() string
}

// SeedFederation judges whether the samples of a seed are delivered.
func SeedFederation(in SeedInput) Verdict {
	if in.Unanswered != nil {
		switch {
		case in.Silence == 0:
			// It may answer the next time.
			return Verdict{}
		case in.Silence < patience(in.Window):
			return isProgressing(conditions.ReasonCollectorStarting, "The collector does not answer yet: %s.", in.Unanswered)
		default:
			return isFalse(conditions.ReasonCollectorUnreachable, "The collector has not answered for at least a minute: %s. Condition CollectorHealthy says whether it runs.", in.Unanswered)
		}
	}

	var (
		latest    = in.Window.Latest()
		delivered = in.Window.increase(exporters(sent))
		// What found no place in the queue was refused to the receiver, and is in both counters.
		dropped  = in.Window.increase(exporters(sendFailed)) + in.Window.increase(func(m *collectormetrics.Metrics) float64 { return m.Refused })
		accepted = in.Window.increase(func(m *collectormetrics.Metrics) float64 { return m.Accepted })
		_, fill  = fullest(latest)
		waiting  = queued(latest)
	)
	switch {
	case dropped > 0 && delivered == 0 && in.Window.IsComplete():
		return isFalse(conditions.ReasonAllSamplesDropped, "%.0f samples were lost for good within %s, and none were delivered to %s: %s", dropped, in.Window.length, in.Endpoint, whyDropped(in.Window))
	case dropped > 0:
		return isFalse(conditions.ReasonSomeSamplesDropped, "%.0f samples were lost for good within %s, while %.0f were delivered to %s: %s", dropped, in.Window.length, delivered, in.Endpoint, whyDropped(in.Window))
	case isNearlyFull(fill, in.WasNearlyFull):
		return isFalse(conditions.ReasonQueueNearlyFull, "The queue has %.0f samples, %.0f %% of its capacity. When it is full, further samples are lost.%s", waiting, 100*fill, undelivered(delivered, in.Endpoint))
	case !in.Window.IsComplete():
		return isProgressing(conditions.ReasonObserving, "The collector has started, or is watched since, less than %s ago.", in.Window.length)
	case delivered == 0:
		if problem := in.Certificate(); problem != "" {
			return isFalse(conditions.ReasonGardenCertificateRefused, "Nothing was delivered within %s, because the certificate of %s cannot be verified: %s. %.0f samples wait in the queue.", in.Window.length, in.Endpoint, problem, waiting)
		}
		return isFalse(conditions.ReasonGardenUnreachable, "Nothing was delivered to %s within %s. %.0f samples wait in the queue, %.1f %% of its capacity.", in.Endpoint, in.Window.length, waiting, 100*fill)
	case accepted <= ownSamples*(in.Window.span().Seconds()/in.Interval.Seconds()+1):
		return isFalse(conditions.ReasonAggregateUnreachable, "Within %s the scrapes of the aggregate Prometheus yielded no samples but those about themselves: is it running?", in.Window.length)
	default:
		return isTrue(conditions.ReasonSamplesDelivered, "All samples are delivered to %s.", in.Endpoint)
	}
}

func isNearlyFull(fill float64, before bool) bool {
	return fill >= nearlyFull || before && fill >= wellBelow
}

// patience returns for how long a collector may not answer.
func patience(window *Window) time.Duration {
	if window.Latest() == nil {
		return startPatience
	}
	return Patience
}

// whyDropped tells those samples which the garden did not want from those for which there was no room.
func whyDropped(window *Window) string {
	if window.increase(exporters(sendFailed)) > 0 {
		return "the garden answers with an error that is not temporary, see the log of the collector and condition CredentialsValid."
	}
	return "there is no room in the queue, or not enough memory, see the log of the collector."
}

func undelivered(delivered float64, endpoint string) string {
	if delivered > 0 {
		return ""
	}
	return " Nothing is delivered to " + endpoint + " at the moment."
}

func queued(metrics *collectormetrics.Metrics) float64 {
	return exporters(func(e collectormetrics.Exporter) float64 { return e.QueueSize })(metrics)
}
