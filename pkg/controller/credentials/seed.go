// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

const (
	// namespaceRetryPeriod is how often the namespace of a Seed is looked for until it exists.
	namespaceRetryPeriod = 10 * time.Second
	// minRequeueAfter keeps a clock that is set back from making the reconciler busy.
	minRequeueAfter = time.Second
	// renewalSpread is the part of the renewal period over which the renewals of the Seeds are spread.
	renewalSpread = 0.1

	// EventCredentialsIssued is the reason of the event that a seed got its first credentials.
	EventCredentialsIssued = "CredentialsIssued"
	// EventCredentialsRenewedLate is the reason of the event that a token was renewed so late that something was wrong.
	EventCredentialsRenewedLate = "CredentialsRenewedLate"
)

// SeedReconciler maintains the Secret with the credentials of each Seed.
type SeedReconciler struct {
	// Client is the client for the virtual garden. It may read from a cache.
	Client client.Client
	// APIReader reads from the virtual garden without a cache.
	APIReader client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Issuer returns what tokens are issued with at the moment.
	Issuer func() *Issuer
	// IssuerExists tells whether the issuer configuration still exists. It is asked before a Secret is created, so that no
	// Secret comes back while they are being cleaned up.
	IssuerExists func(context.Context) (bool, error)
	// Tell tells human beings of credentials that are new, or were renewed late.
	Tell func(ctx context.Context, seedName, eventType, reason, message string)
}

// Reconcile implements reconcile.Reconciler.
func (r *SeedReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	seed := &gardencorev1beta1.Seed{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: request.Name}, seed); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("failed to get Seed %s: %w", request.Name, err)
		}
		return reconcile.Result{}, r.remove(ctx, request.Name, "the Seed does not exist")
	}

	issuer := r.Issuer()
	wanted, err := issuer.Config.Wants(seed)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !wanted {
		return reconcile.Result{}, r.remove(ctx, seed.Name, "the Seed is denied or not selected")
	}

	existing, err := r.secretOf(ctx, seed.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	switch {
	case existing == nil && seed.DeletionTimestamp != nil:
		// A Seed that leaves keeps valid credentials until it is gone, but gets no new ones.
		tokenExpiry.DeleteLabelValues(seed.Name)
		return reconcile.Result{}, nil
	case existing == nil:
		return r.create(ctx, seed, issuer)
	case !credentials.IsOurs(existing):
		tokenExpiry.DeleteLabelValues(seed.Name)
		return reconcile.Result{}, fmt.Errorf("Secret %s exists, but was not created by this extension: delete or rename it so that Seed %s can get its credentials",
			client.ObjectKeyFromObject(existing), seed.Name)
	}
	return r.update(ctx, seed, issuer, existing)
}

func (r *SeedReconciler) secretOf(ctx context.Context, seedName string) (*corev1.Secret, error) {
	var (
		secret = &corev1.Secret{}
		key    = client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(seedName), Name: constants.CredentialsSecretName}
	)
	if err := r.Client.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("failed to get Secret %s: %w", key, err)
	}
	return secret, nil
}

func (r *SeedReconciler) create(ctx context.Context, seed *gardencorev1beta1.Seed, issuer *Issuer) (reconcile.Result, error) {
	var (
		log       = logf.FromContext(ctx)
		namespace = &corev1.Namespace{}
		secret    = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: gardenerutils.ComputeGardenNamespace(seed.Name),
			Name:      constants.CredentialsSecretName,
		}}
	)

	if exists, err := r.IssuerExists(ctx); err != nil || !exists {
		return reconcile.Result{}, err
	}

	err := r.APIReader.Get(ctx, client.ObjectKey{Name: secret.Namespace}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("failed to get Namespace %s: %w", secret.Namespace, err)
	}
	if apierrors.IsNotFound(err) || namespace.DeletionTimestamp != nil {
		log.V(1).Info("Waiting for the Namespace of the Seed", "namespace", secret.Namespace)
		return reconcile.Result{RequeueAfter: namespaceRetryPeriod}, nil
	}

	token, err := credentials.Issue(issuer.Key, seed.Name, r.Clock.Now(), issuer.Config.TokenValidity.Duration)
	if err != nil {
		return reconcile.Result{}, err
	}
	mutate(secret, seed, issuer, token)
	if err := r.Client.Create(ctx, secret); err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to create Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	log.Info("Issued credentials", "reason", "there are none", "keyID", issuer.Key.ID)
	r.Tell(ctx, seed.Name, corev1.EventTypeNormal, EventCredentialsIssued, fmt.Sprintf("Seed %s got its first credentials.", seed.Name))
	return r.observe(seed.Name, issuer, token)
}

func (r *SeedReconciler) update(ctx context.Context, seed *gardencorev1beta1.Seed, issuer *Issuer, existing *corev1.Secret) (reconcile.Result, error) {
	var (
		log    = logf.FromContext(ctx)
		now    = r.Clock.Now()
		token  = string(existing.Data[constants.DataKeyToken])
		reason = "the content has changed"
	)

	if renew, why := credentials.NeedsRenewal(token, issuer.Key.ID, seed.Name, now, renewAfter(seed.Name, issuer)); renew {
		var err error
		if token, err = credentials.Issue(issuer.Key, seed.Name, now, issuer.Config.TokenValidity.Duration); err != nil {
			return reconcile.Result{}, err
		}
		reason = why
	}

	secret := existing.DeepCopy()
	mutate(secret, seed, issuer, token)
	if !equality.Semantic.DeepEqual(existing, secret) {
		if err := r.Client.Update(ctx, secret); err != nil {
			return reconcile.Result{}, fmt.Errorf("failed to update Secret %s: %w", client.ObjectKeyFromObject(secret), err)
		}
		log.Info("Updated credentials", "reason", reason, "keyID", issuer.Key.ID)
		if before := health.NewToken(seed.Name, string(existing.Data[constants.DataKeyToken])); before.IsOverdue(now) {
			r.Tell(ctx, seed.Name, corev1.EventTypeWarning, EventCredentialsRenewedLate, fmt.Sprintf("The token of seed %s, which was issued at %s, was renewed late: it %s at %s.",
				seed.Name, before.IssuedAt.UTC().Format(time.RFC3339), expires(before.Expiry, now), before.Expiry.UTC().Format(time.RFC3339)))
		}
	}
	return r.observe(seed.Name, issuer, token)
}

func expires(expiry, now time.Time) string {
	if expiry.After(now) {
		return "would have expired"
	}
	return "had expired"
}

// remove deletes the Secret of the Seed with the given name if it is ours.
func (r *SeedReconciler) remove(ctx context.Context, seedName, reason string) error {
	tokenExpiry.DeleteLabelValues(seedName)

	secret, err := r.secretOf(ctx, seedName)
	if err != nil || secret == nil || !credentials.IsOurs(secret) || secret.DeletionTimestamp != nil {
		return err
	}
	if err := deleteSecret(ctx, r.Client, secret); err != nil {
		return err
	}
	logf.FromContext(ctx).Info("Deleted credentials", "reason", reason)
	return nil
}

// observe publishes the expiry of the token and returns when it has to be renewed.
func (r *SeedReconciler) observe(seedName string, issuer *Issuer, token string) (reconcile.Result, error) {
	claims, _, err := credentials.Inspect(token)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to find out when the token of Seed %s expires: %w", seedName, err)
	}
	tokenExpiry.WithLabelValues(seedName).Set(float64(claims.Expiry.Unix()))

	due := claims.RenewalTime(renewAfter(seedName, issuer)).Sub(r.Clock.Now())
	return reconcile.Result{RequeueAfter: max(due, minRequeueAfter)}, nil
}

// mutate makes the Secret what it has to be. Labels of others stay, but for the one that makes gardener-controller-manager
// delete the Secret.
func mutate(secret *corev1.Secret, seed *gardencorev1beta1.Seed, issuer *Issuer, token string) {
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	maps.Copy(secret.Labels, credentials.ObjectLabels())
	delete(secret.Labels, v1beta1constants.GardenRole)
	secret.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: gardencorev1beta1.SchemeGroupVersion.String(),
		Kind:       "Seed",
		Name:       seed.Name,
		UID:        seed.UID,
	}}
	secret.Data = issuer.Config.SecretData(seed, token)
}

// renewAfter returns the age at which the token of the given Seed is renewed. It differs from Seed to Seed, and never exceeds
// the configured age.
func renewAfter(seedName string, issuer *Issuer) time.Duration {
	hash := sha256.Sum256([]byte(seedName))
	fraction := float64(binary.BigEndian.Uint32(hash[:])) / float64(math.MaxUint32)

	configured := issuer.Config.TokenRenewAfter.Duration
	return (configured - time.Duration(fraction*renewalSpread*float64(configured))).Truncate(time.Second)
}

// deleteSecret deletes exactly the given version of the Secret, so that never one is deleted that has become another's.
func deleteSecret(ctx context.Context, c client.Client, secret *corev1.Secret) error {
	err := c.Delete(ctx, secret, client.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("failed to delete Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	return nil
}
