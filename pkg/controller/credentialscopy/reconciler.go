// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentialscopy

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	// resyncPeriod is how often the copy, which is not watched, is compared without an event.
	resyncPeriod = 5 * time.Minute
	// reconcileTimeout limits one reconciliation.
	reconcileTimeout = time.Minute
)

// copiedKeys are the keys that are copied. Others in the source are ignored.
var copiedKeys = []string{constants.DataKeyEndpoint, constants.DataKeyCABundle, constants.DataKeyToken, constants.DataKeyInstance}

// Reconciler copies the Secret with the credentials of the seed.
type Reconciler struct {
	// GardenReader reads the source. It may read from a cache.
	GardenReader client.Reader
	// SeedClient lists the Extensions, which may come from a cache, and writes the copy.
	SeedClient client.Client
	// SeedReader reads the copy without a cache.
	SeedReader client.Reader
	// Source is the Secret in the virtual garden.
	Source types.NamespacedName
	// Target is the Secret in the seed.
	Target types.NamespacedName
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	extension, err := mapper.Find(ctx, r.SeedClient, extensionsv1alpha1.ExtensionClassSeed)
	if err != nil || extension == nil {
		return reconcile.Result{}, err
	}

	source := &corev1.Secret{}
	if err := r.GardenReader.Get(ctx, r.Source, source); err != nil {
		if apierrors.IsNotFound(err) {
			// The copy stays: that credentials vanish must never stop a running collector.
			logf.FromContext(ctx).V(1).Info("Waiting for the credentials in the virtual garden", "secret", r.Source)
			return reconcile.Result{RequeueAfter: resyncPeriod}, nil
		}
		return reconcile.Result{}, fmt.Errorf("failed to get Secret %s in the virtual garden: %w", r.Source, err)
	}
	if err := credentials.ValidateSecretData(source.Data); err != nil {
		// An attempt with the same content cannot succeed. A change triggers the next one.
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf(
			"the credentials in Secret %s in the virtual garden are invalid and are not copied: %w", r.Source, err))
	}

	data := make(map[string][]byte, len(copiedKeys))
	for _, key := range copiedKeys {
		if value, ok := source.Data[key]; ok {
			data[key] = value
		}
	}
	if err := r.write(ctx, data, extension.DeletionTimestamp == nil); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: resyncPeriod}, nil
}

func (r *Reconciler) write(ctx context.Context, data map[string][]byte, mayCreate bool) error {
	log := logf.FromContext(ctx)

	existing := &corev1.Secret{}
	if err := r.SeedReader.Get(ctx, r.Target, existing); err != nil {
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("failed to get Secret %s: %w", r.Target, err)
		}
		if !mayCreate {
			// The Extension is being deleted, and its controller has already deleted the copy.
			return nil
		}

		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Target.Namespace, Name: r.Target.Name, Labels: credentials.ObjectLabels()},
			Type:       corev1.SecretTypeOpaque,
			Data:       data,
		}
		if err := r.SeedClient.Create(ctx, secret); err != nil {
			return fmt.Errorf("failed to create Secret %s: %w", r.Target, err)
		}
		log.Info("Copied the credentials", "secret", r.Target)
		return nil
	}

	if !credentials.IsOurs(existing) {
		return fmt.Errorf("Secret %s exists, but was not created by this extension: delete or rename it so that the credentials can be copied", r.Target)
	}

	secret := existing.DeepCopy()
	maps.Copy(secret.Labels, credentials.ObjectLabels())
	secret.Data = data
	if equality.Semantic.DeepEqual(existing, secret) {
		return nil
	}
	if err := r.SeedClient.Update(ctx, secret); err != nil {
		return fmt.Errorf("failed to update Secret %s: %w", r.Target, err)
	}
	log.Info("Updated the copy of the credentials", "secret", r.Target)
	return nil
}
