// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

var (
	// LeavingTimeout is for how long one attempt to delete waits until the seed is pulled again. Together with drain.AttemptTimeout and
	// collector.TimeoutWaitForManagedResource it is below the three minutes that a reconciliation may take.
	LeavingTimeout = 45 * time.Second
	// LeavingInterval is how often it looks whether the seed is pulled again.
	LeavingInterval = time.Second
)

// leavingPatience is for how long a deletion waits in all. Nobody may have to help a deletion along.
const leavingPatience = 10 * time.Minute

// waitUntilPulled waits until the garden part of the extension has answered that the garden pulls from the seed again, so that
// nothing is missing when the collector is gone.
func (a *actuator) waitUntilPulled(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if a.gardenReader == nil {
		return nil
	}
	pushes, known := lease.PushesToGarden(ex)
	if known && !pushes {
		return nil
	}

	deadline := ex.DeletionTimestamp.Add(leavingPatience)
	remaining := deadline.Sub(a.clock.Now())
	if remaining <= 0 {
		log.Info("Removing the collector although the garden has not answered that the seed is pulled again", "waitedUntil", deadline)
		return nil
	}

	var obstacle error
	if err := retry.UntilTimeout(ctx, LeavingInterval, min(LeavingTimeout, remaining), func(ctx context.Context) (bool, error) {
		err := a.notPulled(ctx, ex, known)
		if err == nil {
			return retry.Ok()
		}
		if obstacle == nil {
			log.Info("Waiting until the seed is pulled again", "reason", err.Error())
		}
		// That the time is over in the middle of a request says less than the attempt before.
		if obstacle == nil || ctx.Err() == nil {
			obstacle = err
		}
		return retry.MinorError(err)
	}); err != nil {
		return fmt.Errorf("%w It goes on in any case at %s", obstacle, deadline.UTC().Format(time.RFC3339))
	}
	return nil
}

// gardenWantsSamples returns false if the garden part of the extension has withdrawn the credentials of the seed, or is gone: then nobody
// accepts what is left in the queue.
func (a *actuator) gardenWantsSamples(ctx context.Context, ex *extensionsv1alpha1.Extension) (bool, error) {
	if pushes, known := lease.PushesToGarden(ex); a.gardenReader == nil || known && !pushes {
		return true, nil
	}
	key := client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(a.seedName), Name: constants.CredentialsSecretName}
	if err := a.gardenReader.Get(ctx, key, &corev1.Secret{}); apierrors.IsNotFound(err) {
		return false, nil
	} else if err != nil && a.clock.Since(ex.DeletionTimestamp.Time) < leavingPatience {
		return false, fmt.Errorf("cannot find out whether the garden still wants the samples of seed %s, failed to get Secret %s in the virtual garden: %w: is its API server up, and may the extension read there?", a.seedName, key, err)
	}
	return true, nil
}

// notPulled returns nil if the seed is pulled again or if there is nobody to wait for, else what stands in the way.
func (a *actuator) notPulled(ctx context.Context, ex *extensionsv1alpha1.Extension, configKnown bool) error {
	var (
		namespace  = gardenerutils.ComputeGardenNamespace(a.seedName)
		secretKey  = client.ObjectKey{Namespace: namespace, Name: constants.CredentialsSecretName}
		leaseKey   = client.ObjectKey{Namespace: namespace, Name: constants.LeaseName}
		unreadable = func(kind string, key client.ObjectKey, err error) error {
			return fmt.Errorf("cannot find out whether seed %s is pulled again, failed to get %s %s in the virtual garden: %w: is its API server up, and may the extension read there?",
				a.seedName, kind, key, err)
		}
	)

	if err := a.gardenReader.Get(ctx, secretKey, &corev1.Secret{}); apierrors.IsNotFound(err) {
		// The garden part is not there or has withdrawn: nobody could answer.
		return nil
	} else if err != nil {
		return unreadable("Secret", secretKey, err)
	}

	object := &coordinationv1.Lease{}
	err := a.gardenReader.Get(ctx, leaseKey, object)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return unreadable("Lease", leaseKey, err)
	}
	since := object.Annotations[constants.AnnotationLeavingSince]

	switch {
	case missing && !configKnown:
		// The Lease is kept as it was under the last good configuration: there was none, so the seed did not push to the garden.
		return nil
	case !missing && !credentials.IsOurs(object):
		return fmt.Errorf("seed %s is not pulled again yet: Lease %s in the virtual garden, by which the garden is asked for it, was not created by this extension: can it be deleted?",
			a.seedName, leaseKey)
	case missing || since != lease.LeavingSince(ex):
		return fmt.Errorf("seed %s is not pulled again yet: controller %s of this extension has not asked for it in Lease %s of the virtual garden (annotation %s): may it write there?",
			a.seedName, lease.ControllerName, leaseKey, constants.AnnotationLeavingSince)
	case object.Annotations[constants.AnnotationPulledSince] == "":
		return fmt.Errorf("seed %s is not pulled again yet: the garden part of the extension has not answered in Lease %s of the virtual garden (annotation %s): is it running, and is Prometheus %s/%s healthy?",
			a.seedName, leaseKey, constants.AnnotationPulledSince, v1beta1constants.GardenNamespace, constants.GardenPrometheusName)
	default:
		return nil
	}
}
