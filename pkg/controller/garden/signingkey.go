// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	secretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
)

// signingKeyMaxAge is the age at which the signing key is rotated without being asked.
const signingKeyMaxAge = 90 * 24 * time.Hour

// signingKeys are the keys that sign and verify the tokens of the seeds. A collector drops what is answered by 401, so the order of a
// rotation matters: the new key signs only when every replica of the fan-out accepts what it signs, and the old one is dropped only when all
// that it has signed has expired.
type signingKeys struct {
	// current and old are the names of the Secrets with the keys. There is an old one during a rotation only.
	current, old string
	// jwks are the public keys of all keys whose tokens are to be accepted.
	jwks    []byte
	manager secretsmanager.Interface
}

// generateSigningKeys begins a rotation if one is due, and returns the keys that it leaves. The validity is that of the tokens.
func (a *actuator) generateSigningKeys(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension, validity time.Duration) (*signingKeys, error) {
	status, err := signingKeyStatus(ex)
	if err != nil {
		return nil, err
	}
	if a.rotationDue(ex, status) {
		log.Info("Rotating the signing key")
		status = &configv1alpha1.SigningKeyStatus{Phase: configv1alpha1.SigningKeyPhasePreparing, InitiationTime: metav1.NewTime(a.clock.Now())}
		if err := a.writeSigningKeyStatus(ctx, ex, status); err != nil {
			return nil, err
		}
	}
	if ex.Annotations[constants.AnnotationOperation] == constants.OperationRotateSigningKey {
		if err := a.annotate(ctx, ex, constants.AnnotationOperation, ""); err != nil {
			return nil, err
		}
	}

	times := map[string]time.Time{}
	if status != nil {
		times[constants.SigningKeySecretName] = status.InitiationTime.Time
	}
	sm, err := secretsmanager.New(ctx, log.WithName("secretsmanager"), a.clock, a.client, secrets.IdentitySigningKey,
		secretsmanager.WithNamespaces(ex.Namespace), secretsmanager.WithSecretNamesToTimes(times))
	if err != nil {
		return nil, fmt.Errorf("failed to create the secrets manager %s: %w", secrets.IdentitySigningKey, err)
	}

	keyConfig, options := secrets.SigningKeyConfig(a.oldKeyExpired(status, validity))
	current, err := sm.Generate(ctx, keyConfig, options...)
	if err != nil {
		return nil, fmt.Errorf("failed to generate the signing key: %w", err)
	}
	keys := &signingKeys{current: current.Name, manager: sm}
	all := []*corev1.Secret{current}
	if old, found := sm.Get(constants.SigningKeySecretName, secretsmanager.Old); found {
		keys.old = old.Name
		all = append(all, old)
	}
	if keys.jwks, err = publicKeys(all); err != nil {
		return nil, err
	}
	return keys, nil
}

// chooseSigningKey returns the name of the Secret with the key that is to sign, given whether all replicas of the fan-out know all
// keys, and writes down how far the rotation is.
func (a *actuator) chooseSigningKey(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension, keys *signingKeys, rolledOut bool) (string, error) {
	status, err := signingKeyStatus(ex)
	if err != nil {
		return "", err
	}

	if keys.old != "" && !rolledOut && (status == nil || status.SigningSince == nil) {
		return keys.old, nil
	}
	if status == nil {
		return keys.current, nil
	}
	next := status.DeepCopy()
	if next.SigningSince == nil {
		log.Info("The new signing key signs from now on")
		next.SigningSince, next.Phase = new(metav1.NewTime(a.clock.Now())), configv1alpha1.SigningKeyPhaseCompleting
	}
	if next.CompletionTime == nil && keys.old == "" {
		log.Info("The old signing key is not accepted any more")
		next.CompletionTime, next.Phase = new(metav1.NewTime(a.clock.Now())), configv1alpha1.SigningKeyPhaseCompleted
	}
	if next.Phase != status.Phase {
		return keys.current, a.writeSigningKeyStatus(ctx, ex, next)
	}
	return keys.current, nil
}

// rotationDue says whether a rotation is to begin. While one is under way none does.
func (a *actuator) rotationDue(ex *extensionsv1alpha1.Extension, status *configv1alpha1.SigningKeyStatus) bool {
	if status != nil && status.Phase != configv1alpha1.SigningKeyPhaseCompleted {
		return false
	}
	since := ex.CreationTimestamp.Time
	if status != nil {
		since = status.InitiationTime.Time
	}
	return ex.Annotations[constants.AnnotationOperation] == constants.OperationRotateSigningKey || !since.IsZero() && a.clock.Since(since) > signingKeyMaxAge
}

// oldKeyExpired says whether all tokens have expired that the old key has signed.
func (a *actuator) oldKeyExpired(status *configv1alpha1.SigningKeyStatus, validity time.Duration) bool {
	return status != nil && status.SigningSince != nil && a.clock.Since(status.SigningSince.Time) > validity
}

// observeSigningKey returns a text that changes when there is something to do about the signing key.
func (a *actuator) observeSigningKey(ex *extensionsv1alpha1.Extension) string {
	status, err := signingKeyStatus(ex)
	if err != nil {
		return ""
	}
	cfg, err := loader.DecodeGardenFederationConfig(ex.Spec.ProviderConfig)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("rotate %t drop %t", a.rotationDue(ex, status), a.oldKeyExpired(status, cfg.Token.Validity.Duration))
}

// signingKeySecrets returns the names of the Secrets with signing keys. Whoever deletes one, because somebody else knows the key, wants it
// not to be accepted any more.
func (a *actuator) signingKeySecrets(ctx context.Context, namespace string) ([]string, error) {
	list := &corev1.SecretList{}
	if err := a.client.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{
		secretsmanager.LabelKeyManagedBy: secretsmanager.LabelValueSecretsManager, secretsmanager.LabelKeyManagerIdentity: secrets.IdentitySigningKey,
	}); err != nil {
		return nil, fmt.Errorf("failed to list the Secrets with signing keys in namespace %s: %w", namespace, err)
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	slices.Sort(names)
	return names, nil
}

func signingKeyStatus(ex *extensionsv1alpha1.Extension) (*configv1alpha1.SigningKeyStatus, error) {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return nil, fmt.Errorf("the state of the signing key in Extension %s cannot be read: %w: remove status.providerStatus", client.ObjectKeyFromObject(ex), err)
	}
	return status.SigningKey, nil
}

// writeSigningKeyStatus changes that part of the providerStatus only: the hand-over writes the other.
func (a *actuator) writeSigningKeyStatus(ctx context.Context, ex *extensionsv1alpha1.Extension, signingKey *configv1alpha1.SigningKeyStatus) error {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return err
	}
	patch := client.MergeFrom(ex.DeepCopy())
	status.SigningKey = signingKey
	if ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(status); err != nil {
		return err
	}
	if err := a.client.Status().Patch(ctx, ex, patch); err != nil {
		return fmt.Errorf("failed to write the state of the signing key to status.providerStatus of Extension %s: %w", client.ObjectKeyFromObject(ex), err)
	}
	return nil
}
