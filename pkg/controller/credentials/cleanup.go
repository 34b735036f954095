// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	cleanupTimeout        = time.Minute
	cleanupAttempts       = 4
	cleanupAttemptTimeout = 10 * time.Second
	cleanupInterval       = 2 * time.Second
)

// Cleanup deletes the credentials of all Seeds in the virtual garden. It has to be called before the access to the virtual
// garden is removed. It deletes the issuer configuration first, so that no credentials are issued any more.
//
// It gives up without an error after about a minute, or when the context ends, if the virtual garden cannot be reached or
// refuses the access, and at once if the Garden is being deleted: the deletion of the extension must not depend on it.
//
// The client for the runtime cluster should not read Secrets from a cache.
func Cleanup(ctx context.Context, log logr.Logger, runtimeClient client.Client, namespace string) error {
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: constants.IssuerConfigMapName}}
	if err := client.IgnoreNotFound(runtimeClient.Delete(ctx, configMap)); err != nil {
		return fmt.Errorf("failed to delete ConfigMap %s: %w", client.ObjectKeyFromObject(configMap), err)
	}

	garden, err := getGarden(ctx, runtimeClient)
	if err == nil && garden.DeletionTimestamp != nil {
		log.Info("The Garden is being deleted, the credentials of the seeds go with it")
		return nil
	}

	var virtualGarden client.Client
	if err == nil {
		virtualGarden, err = VirtualGardenClient(ctx, runtimeClient, namespace)
	}
	if errors.Is(err, ErrNoAccess) {
		log.Info("Credentials of the seeds that may exist are not deleted", "reason", err.Error())
		return nil
	}
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	if err := deleteAll(ctx, virtualGarden, cleanupInterval); err != nil {
		log.Error(err, "Failed to delete the credentials of the seeds, they remain until their Seeds are deleted")
	}
	return nil
}

// deleteAll deletes our Secrets until it has twice in a row found none that had to be deleted: one that was just being issued
// may appear in between.
func deleteAll(ctx context.Context, virtualGarden client.Client, interval time.Duration) error {
	var (
		failures int
		clean    int
		lastErr  error
	)

	err := wait.PollUntilContextCancel(ctx, interval, true, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, cleanupAttemptTimeout)
		defer cancel()

		deleted, err := deleteOnce(ctx, virtualGarden)
		switch {
		case err != nil:
			lastErr = err
			clean = 0
			if failures++; failures >= cleanupAttempts {
				return false, fmt.Errorf("failed %d times: %w", failures, err)
			}
		case deleted > 0:
			clean = 0
		default:
			clean++
		}
		return clean >= 2, nil
	})
	if err != nil && wait.Interrupted(err) && lastErr != nil {
		return fmt.Errorf("%w, last error: %w", err, lastErr)
	}
	return err
}

func deleteOnce(ctx context.Context, virtualGarden client.Client) (int, error) {
	secrets := &corev1.SecretList{}
	// The permissions are limited to this name, so that a request must select it.
	if err := virtualGarden.List(ctx, secrets, client.MatchingFields{metav1.ObjectNameField: constants.CredentialsSecretName}); err != nil {
		return 0, fmt.Errorf("failed to list the Secrets named %s: %w", constants.CredentialsSecretName, err)
	}

	deleted := 0
	for _, secret := range secrets.Items {
		if !credentials.IsOurs(&secret) || !strings.HasPrefix(secret.Namespace, gardenerutils.SeedNamespaceNamePrefix) {
			continue
		}
		deleted++
		if err := deleteSecret(ctx, virtualGarden, &secret); err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}
