// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	// resyncPeriod is how often the prerequisites are looked at without an event.
	resyncPeriod = 5 * time.Minute
	// reconcileTimeout limits one reconciliation.
	reconcileTimeout = time.Minute
)

// Issuer is what tokens are issued with.
type Issuer struct {
	// Config is the configuration that the garden controller wrote.
	Config *credentials.IssuerConfig
	// Key is the key to sign with.
	Key *credentials.SigningKey
}

// Reconciler keeps a session with the virtual garden while everything that it needs exists.
type Reconciler struct {
	// Reader reads from the runtime cluster, without a cache.
	Reader client.Reader
	// Namespace is the namespace of the objects in the runtime cluster.
	Namespace string

	sessions *sessions
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	log := logf.FromContext(ctx)

	configMap := &corev1.ConfigMap{}
	if err := r.Reader.Get(ctx, request.NamespacedName, configMap); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("failed to get ConfigMap %s: %w", request.NamespacedName, err)
		}
		if err := r.sessions.stop("the issuer configuration does not exist"); err != nil {
			return reconcile.Result{}, err
		}
		tokenExpiry.Reset()
		return reconcile.Result{}, nil
	}

	issuer, access, err := r.prerequisites(ctx, configMap)
	if err != nil {
		if !errors.Is(err, ErrNoAccess) {
			// What runs is left running: the next attempt may find it valid.
			return reconcile.Result{}, err
		}
		log.Info("Waiting for the prerequisites to issue credentials", "reason", err.Error())
		if err := r.sessions.stop(err.Error()); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{RequeueAfter: resyncPeriod}, nil
	}

	retryAfter, err := r.sessions.ensure(access, issuer)
	if err != nil {
		return reconcile.Result{}, err
	}
	if retryAfter == 0 {
		retryAfter = resyncPeriod
	}
	return reconcile.Result{RequeueAfter: retryAfter}, nil
}

func (r *Reconciler) prerequisites(ctx context.Context, configMap *corev1.ConfigMap) (*Issuer, *Access, error) {
	config, err := credentials.ParseIssuerConfig(configMap)
	if err != nil {
		return nil, nil, err
	}

	secret := &corev1.Secret{}
	if err := getSecret(ctx, r.Reader, client.ObjectKey{Namespace: r.Namespace, Name: config.SigningKeySecretName}, secret); err != nil {
		return nil, nil, fmt.Errorf("failed to read the signing key: %w", err)
	}
	key, err := credentials.ParseSigningKey(secret)
	if err != nil {
		return nil, nil, err
	}

	access, err := VirtualGardenAccess(ctx, r.Reader, r.Namespace)
	if err != nil {
		return nil, nil, err
	}
	return &Issuer{Config: config, Key: key}, access, nil
}
