// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"time"

	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// debounce is how long a change waits for others before the configuration is read again, as in Istio.
	debounce = 100 * time.Millisecond
	// retryPeriod is how long to wait before something that failed is tried again.
	retryPeriod = time.Second
)

// newCache makes a cache of the objects that configure the gateways. Secrets are read in the gateways' namespaces only.
func newCache(config Config) (cache.Cache, error) {
	namespaces := map[string]cache.Config{}
	for _, gateway := range config.Gateways {
		namespaces[gateway.Namespace] = cache.Config{}
	}
	result, err := cache.New(config.RESTConfig, cache.Options{
		Scheme:           Scheme,
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&corev1.Secret{}: {Namespaces: namespaces}},
	})
	if err != nil {
		return nil, fmt.Errorf("failed to create the cache for the Istio objects: %w", err)
	}
	return result, nil
}

// watch asks for a message in changes when an object changes. It waits for kinds that the API server does not serve yet.
func (p *Proxy) watch(ctx context.Context, changes chan<- struct{}) error {
	notify := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	events := toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	}

	for _, object := range []client.Object{
		&istionetworkingv1beta1.Gateway{},
		&istionetworkingv1beta1.VirtualService{},
		&istionetworkingv1beta1.DestinationRule{},
		&corev1.Secret{},
		&corev1.Service{},
		&discoveryv1.EndpointSlice{},
	} {
		for {
			informer, err := p.cache.GetInformer(ctx, object)
			if err == nil {
				if _, err = informer.AddEventHandler(events); err == nil {
					break
				}
			}
			p.config.Logger.Info("Gateway cannot watch objects that configure it, will try again", "kind", fmt.Sprintf("%T", object), "problem", err.Error())
			select {
			case <-time.After(retryPeriod):
			case <-ctx.Done():
				return fmt.Errorf("failed to watch the objects that configure the gateway: %w", ctx.Err())
			}
		}
	}
	return nil
}

// refreshOnChanges refreshes the configuration after changes until the context ends.
func (p *Proxy) refreshOnChanges(ctx context.Context, changes chan struct{}) error {
	for {
		select {
		case <-changes:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(debounce):
		case <-ctx.Done():
			return nil
		}
		if err := p.Refresh(ctx); err != nil {
			p.config.Logger.Error(err, "The gateways keep their previous configuration")
			time.AfterFunc(retryPeriod, func() {
				select {
				case changes <- struct{}{}:
				default:
				}
			})
		}
	}
}
