// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/utils/clock"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// run is one start of all processes.
type run struct {
	options    *Options
	series     int
	directory  string
	supervisor *process.Supervisor
	// control is the site without a way, sites are the others.
	control *site
	sites   []*site
	server  *http.Server
}

func (o *Options) newRun(series int) (*run, error) {
	directory, err := os.MkdirTemp(o.Directory, fmt.Sprintf("%d-", series))
	if err != nil {
		return nil, fmt.Errorf("failed to create a directory for the processes: %w", err)
	}
	r := &run{options: o, series: series, directory: directory}
	if err := os.MkdirAll(r.logs(), 0o700); err != nil {
		return nil, fmt.Errorf("failed to create a directory for the log files: %w", err)
	}
	r.supervisor = process.NewSupervisor(r.logs())
	return r, nil
}

// logs is the directory of the log files.
func (r *run) logs() string { return filepath.Join(r.directory, "logs") }

func (r *run) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(r.options.Progress, "%s %s\n", time.Now().UTC().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// startSites starts the exporter and all processes.
func (r *run) startSites(ctx context.Context, group []way) error {
	if err := r.startExporter(ctx); err != nil {
		return err
	}
	r.control = r.newSite(wayNone, 0)
	if err := r.control.startAggregate(ctx); err != nil {
		return err
	}
	for i, one := range group {
		s := r.newSite(one.name, i+1)
		s.pulled = one.pulled
		var addresses []net.IP
		for host := range maxHosts {
			addresses = append(addresses, net.ParseIP(fmt.Sprintf("%s.%d", s.network, host+1)))
		}
		var err error
		if s.credentials, err = newCredentials(addresses); err != nil {
			return err
		}
		r.sites = append(r.sites, s)
		if err := s.startAggregate(ctx); err != nil {
			return err
		}
		if err := one.start(ctx, s); err != nil {
			return fmt.Errorf("failed to start the way %s: %w", one.name, err)
		}
	}
	return nil
}

func (r *run) newSite(name string, i int) *site {
	return &site{
		name: name, directory: filepath.Join(r.directory, name), network: fmt.Sprintf("127.80.%d", i+1),
		binaries: map[string]string{
			binaryPrometheus: r.options.Prometheus, binaryCollector: r.options.Collector, binaryVMAgent: r.options.VMAgent,
		},
		supervisor: r.supervisor, exporter: exporterAddress, interval: r.options.Interval, processes: map[string]Role{},
	}
}

// startExporter exposes the corpus. It runs in this process, whose processor time is not measured.
func (r *run) startExporter(ctx context.Context) error {
	exporter, err := corpus.NewExporter(corpus.Options{Series: r.series, Seed: seedName}, clock.RealClock{})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", exporterAddress)
	if err != nil {
		return fmt.Errorf("failed to listen on %s for the exporter: %w", exporterAddress, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter)
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }()
	return nil
}

// measure waits until all samples arrive by each way, and measures.
func (r *run) measure(ctx context.Context, result *Result, group []way) ([]*Measurement, error) {
	o := r.options
	group, err := r.waitForSamples(ctx, result, group)
	if err != nil {
		return nil, err
	}
	r.progress("samples arrive by %d ways, %d scrapes for warming up", len(group), o.WarmUp)
	if err := pause(ctx, time.Duration(o.WarmUp)*o.Interval); err != nil {
		return nil, err
	}

	window := time.Duration(o.Scrapes) * o.Interval
	r.progress("measuring %d scrapes (%s)", o.Scrapes, window)
	all := append([]*site{r.control}, r.sites...)
	before, err := takeSnapshot(all)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, window); err != nil {
		return nil, err
	}
	after, err := takeSnapshot(all)
	if err != nil {
		return nil, err
	}
	end := time.Now()
	result.Busy = max(result.Busy, (after.busy-before.busy).Seconds()/window.Seconds())
	result.Others = max(result.Others, (after.busy-before.busy-after.cpu()+before.cpu()).Seconds()/window.Seconds())

	// Not what the last scrape had, because that may have failed.
	samples, err := queryNumber(ctx, r.sites[0].receivers[0], "max(max_over_time(scrape_samples_post_metric_relabeling[1h]))")
	if err != nil {
		return nil, err
	}
	result.IngestionCPU = measure(r.control, "", before, after, o.Scrapes, samples).CPU[RoleAggregate]
	var measurements []*Measurement
	for i, s := range r.sites {
		m := measure(s, group[i].title, before, after, o.Scrapes, samples)
		m.FederationCPU = m.CPU[RoleAggregate] - result.IngestionCPU
		measurements = append(measurements, m)
	}
	pulled := measurements[0]
	for _, m := range measurements {
		m.Pull = Reference{Bytes: pulled.Bytes(), SeedCPU: pulled.SeedCPU(), ReceiverCPU: pulled.CPU[RoleReceiver]}
	}
	if err := r.observe(ctx, measurements, end, window); err != nil {
		return nil, err
	}
	if err := r.soak(ctx, measurements); err != nil {
		return nil, err
	}
	return measurements, r.cutWAN(ctx, measurements)
}

// observe adds to the measurements what takes queries.
func (r *run) observe(ctx context.Context, measurements []*Measurement, end time.Time, window time.Duration) error {
	o := r.options
	if o.LatencyScrapes > 0 {
		r.progress("measuring the latency of %d scrapes (%s)", o.LatencyScrapes, time.Duration(o.LatencyScrapes)*o.Interval)
		latencies, err := observeLatencies(ctx, r.sites, o.LatencyScrapes, o.Interval)
		if err != nil {
			return err
		}
		for _, m := range measurements {
			m.Latencies = latencies[m.Way]
		}
	}
	r.progress("comparing what is stored")
	for i, m := range measurements {
		if err := m.countSeries(ctx, r.sites[i], end, window); err != nil {
			return fmt.Errorf("failed to count what is stored by the way %s: %w", m.Way, err)
		}
		if measurements[0].Stored < r.series || m.Stored < r.series/2 {
			r.progress("%s has %d series and pull has %d: scrapes fail, is the machine too busy? There is no comparison.", m.Way, m.Stored, measurements[0].Stored)
			continue
		}
		if err := m.compareSeries(ctx, r.sites[i], r.sites[0].receivers[0], r.logs()); err != nil {
			return fmt.Errorf("failed to compare what is stored by the way %s: %w", m.Way, err)
		}
	}
	return nil
}

// waitForSamples waits until the whole corpus has arrived in each receiver. It stops the ways by which it does not arrive, so that they take
// nothing from the others, and returns those that are left.
func (r *run) waitForSamples(ctx context.Context, result *Result, group []way) ([]way, error) {
	var (
		arriving []way
		sites    []*site
		deadline = time.Now().Add(4*r.options.Interval + readyTimeout)
	)
	for i, s := range r.sites {
		err := r.waitForSite(ctx, s, max(time.Until(deadline), r.options.Interval))
		switch {
		case err == nil:
			arriving, sites = append(arriving, group[i]), append(sites, s)
		case i == 0 || ctx.Err() != nil:
			return nil, err
		default:
			r.progress("%s is not measured: %s", s.name, err)
			result.Failed = append(result.Failed, group[i].title)
			if err := s.stop(); err != nil {
				return nil, err
			}
		}
	}
	r.sites = sites
	return arriving, nil
}

func (r *run) waitForSite(ctx context.Context, s *site, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, one := range s.receivers {
		if err := poll(ctx, time.Second, func(ctx context.Context) error {
			samples, err := scrapedSamples(ctx, one)
			if err == nil && samples < r.series {
				err = fmt.Errorf("%s has got %d of %d samples: see the log files in %s", one.Name, samples, r.series, r.logs())
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// stop stops all. It removes the files of the processes but for their logs, unless somebody may want to find out why it has failed.
func (r *run) stop(failed bool) error {
	errs := []error{r.supervisor.StopAll()}
	for _, s := range r.sites {
		errs = append(errs, s.stopIngresses())
	}
	if r.server != nil {
		errs = append(errs, r.server.Close())
	}
	for _, s := range append([]*site{r.control}, r.sites...) {
		if s != nil && !failed {
			errs = append(errs, os.RemoveAll(s.directory))
		}
	}
	return errors.Join(errs...)
}
