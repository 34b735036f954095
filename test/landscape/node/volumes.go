// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	defaultFileMode      = 0o644
	defaultTokenLifetime = 3600
)

// volume is a volume of a pod on the host.
type volume struct {
	path     string
	readOnly bool
}

// podVolumes materialises the volumes of one pod.
type podVolumes struct {
	client    client.Client
	pod       *corev1.Pod
	directory string
	podIP     string
	hostIP    string
	tokens    map[string]*serviceAccountToken
}

type serviceAccountToken struct {
	value   string
	refresh time.Time
}

// prepare creates or refreshes all volumes and returns them by name. The error names everything that is missing.
func (v *podVolumes) prepare(ctx context.Context) (map[string]volume, error) {
	var (
		volumes = map[string]volume{}
		errs    []error
	)
	for _, spec := range v.pod.Spec.Volumes {
		prepared, err := v.prepareVolume(ctx, &spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("failed to set up volume %s: %w", spec.Name, err))
			continue
		}
		volumes[spec.Name] = prepared
	}
	return volumes, errors.Join(errs...)
}

func (v *podVolumes) prepareVolume(ctx context.Context, spec *corev1.Volume) (volume, error) {
	path := filepath.Join(v.directory, "volumes", spec.Name)
	switch {
	case spec.EmptyDir != nil:
		return volume{path: path}, makeVolumeDir(path)
	case spec.HostPath != nil:
		if _, err := os.Stat(spec.HostPath.Path); err != nil {
			return volume{}, fmt.Errorf("the host path must exist: %w", err)
		}
		return volume{path: spec.HostPath.Path}, nil
	case spec.PersistentVolumeClaim != nil:
		return v.claim(ctx, spec.PersistentVolumeClaim)
	}

	files, err := v.files(ctx, spec)
	if err != nil {
		return volume{}, err
	}
	if err := os.MkdirAll(path, 0o755); err != nil { // #nosec G301 -- As kubelet does.
		return volume{}, err
	}
	_, err = writeAtomically(path, files)
	return volume{path: path, readOnly: true}, err
}

func makeVolumeDir(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil { // #nosec G301 -- As kubelet does.
		return err
	}
	return os.Chmod(path, 0o777) // #nosec G302 -- As kubelet does.
}

func (v *podVolumes) claim(ctx context.Context, source *corev1.PersistentVolumeClaimVolumeSource) (volume, error) {
	claim := &corev1.PersistentVolumeClaim{}
	if err := v.client.Get(ctx, types.NamespacedName{Namespace: v.pod.Namespace, Name: source.ClaimName}, claim); err != nil {
		return volume{}, err
	}
	if claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName == "" {
		return volume{}, fmt.Errorf("PersistentVolumeClaim %s is not bound yet", source.ClaimName)
	}
	persistentVolume := &corev1.PersistentVolume{}
	if err := v.client.Get(ctx, types.NamespacedName{Name: claim.Spec.VolumeName}, persistentVolume); err != nil {
		return volume{}, err
	}
	if persistentVolume.Spec.HostPath == nil {
		return volume{}, fmt.Errorf("PersistentVolume %s must be a hostPath, others are not supported by the landscape's node", persistentVolume.Name)
	}
	path := persistentVolume.Spec.HostPath.Path
	return volume{path: path, readOnly: source.ReadOnly}, makeVolumeDir(path)
}

// files returns the files of a ConfigMap, Secret, downwardAPI or projected volume.
func (v *podVolumes) files(ctx context.Context, spec *corev1.Volume) (map[string]projectedFile, error) {
	switch {
	case spec.ConfigMap != nil:
		return v.configMap(ctx, spec.ConfigMap.Name, spec.ConfigMap.Items, fileMode(spec.ConfigMap.DefaultMode), isTrue(spec.ConfigMap.Optional))
	case spec.Secret != nil:
		return v.secret(ctx, spec.Secret.SecretName, spec.Secret.Items, fileMode(spec.Secret.DefaultMode), isTrue(spec.Secret.Optional))
	case spec.DownwardAPI != nil:
		return v.downwardAPI(spec.DownwardAPI.Items, fileMode(spec.DownwardAPI.DefaultMode))
	case spec.Projected != nil:
		return v.projected(ctx, spec.Name, spec.Projected)
	}
	return nil, fmt.Errorf("its type is not supported by the landscape's node")
}

func (v *podVolumes) projected(ctx context.Context, name string, projected *corev1.ProjectedVolumeSource) (map[string]projectedFile, error) {
	var (
		mode  = fileMode(projected.DefaultMode)
		files = map[string]projectedFile{}
	)
	for i, source := range projected.Sources {
		var (
			part map[string]projectedFile
			err  error
		)
		switch {
		case source.ConfigMap != nil:
			part, err = v.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Items, mode, isTrue(source.ConfigMap.Optional))
		case source.Secret != nil:
			part, err = v.secret(ctx, source.Secret.Name, source.Secret.Items, mode, isTrue(source.Secret.Optional))
		case source.DownwardAPI != nil:
			part, err = v.downwardAPI(source.DownwardAPI.Items, mode)
		case source.ServiceAccountToken != nil:
			part, err = v.token(ctx, fmt.Sprintf("%s/%d", name, i), source.ServiceAccountToken, mode)
		default:
			err = fmt.Errorf("the type of source %d is not supported by the landscape's node", i)
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(files, part)
	}
	return files, nil
}

func (v *podVolumes) configMap(ctx context.Context, name string, items []corev1.KeyToPath, mode fs.FileMode, optional bool) (map[string]projectedFile, error) {
	object := &corev1.ConfigMap{}
	err := v.client.Get(ctx, types.NamespacedName{Namespace: v.pod.Namespace, Name: name}, object)
	if err != nil && !(apierrors.IsNotFound(err) && optional) {
		return nil, err
	}
	data := map[string][]byte{}
	for key, value := range object.Data {
		data[key] = []byte(value)
	}
	maps.Copy(data, object.BinaryData)
	files, err := selectItems(data, items, mode, optional)
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s: %w", name, err)
	}
	return files, nil
}

func (v *podVolumes) secret(ctx context.Context, name string, items []corev1.KeyToPath, mode fs.FileMode, optional bool) (map[string]projectedFile, error) {
	object := &corev1.Secret{}
	err := v.client.Get(ctx, types.NamespacedName{Namespace: v.pod.Namespace, Name: name}, object)
	if err != nil && !(apierrors.IsNotFound(err) && optional) {
		return nil, err
	}
	files, err := selectItems(object.Data, items, mode, optional)
	if err != nil {
		return nil, fmt.Errorf("Secret %s: %w", name, err)
	}
	return files, nil
}

// selectItems returns the files for the items, or for all keys if there are no items.
func selectItems(data map[string][]byte, items []corev1.KeyToPath, mode fs.FileMode, optional bool) (map[string]projectedFile, error) {
	files := map[string]projectedFile{}
	if len(items) == 0 {
		for key, value := range data {
			files[key] = projectedFile{data: value, mode: mode}
		}
		return files, nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			if optional {
				continue
			}
			return nil, fmt.Errorf("it has no key %q", item.Key)
		}
		file := projectedFile{data: value, mode: mode}
		if item.Mode != nil {
			file.mode = fileMode(item.Mode)
		}
		files[filepath.Clean(item.Path)] = file
	}
	return files, nil
}

func (v *podVolumes) downwardAPI(items []corev1.DownwardAPIVolumeFile, mode fs.FileMode) (map[string]projectedFile, error) {
	files := map[string]projectedFile{}
	for _, item := range items {
		if item.FieldRef == nil {
			return nil, fmt.Errorf("downwardAPI file %s: only fieldRef is supported by the landscape's node", item.Path)
		}
		value, err := fieldValue(v.pod, item.FieldRef.FieldPath, v.podIP, v.hostIP)
		if err != nil {
			return nil, err
		}
		file := projectedFile{data: []byte(value), mode: mode}
		if item.Mode != nil {
			file.mode = fileMode(item.Mode)
		}
		files[filepath.Clean(item.Path)] = file
	}
	return files, nil
}

// token requests a token that is bound to the pod, and a new one when 80 % of its lifetime are over.
func (v *podVolumes) token(ctx context.Context, key string, source *corev1.ServiceAccountTokenProjection, mode fs.FileMode) (map[string]projectedFile, error) {
	token := v.tokens[key]
	if token == nil || time.Now().After(token.refresh) {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: source.ExpirationSeconds,
			BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: v.pod.Name, UID: v.pod.UID},
		}}
		if source.Audience != "" {
			request.Spec.Audiences = []string{source.Audience}
		}
		if request.Spec.ExpirationSeconds == nil {
			request.Spec.ExpirationSeconds = new(int64(defaultTokenLifetime))
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v.pod.Namespace, Name: v.pod.Spec.ServiceAccountName}}
		if account.Name == "" {
			account.Name = "default"
		}
		if err := v.client.SubResource("token").Create(ctx, account, request); err != nil {
			return nil, fmt.Errorf("failed to request a token for ServiceAccount %s: %w", account.Name, err)
		}
		lifetime := time.Until(request.Status.ExpirationTimestamp.Time)
		token = &serviceAccountToken{value: request.Status.Token, refresh: time.Now().Add(lifetime * 8 / 10)}
		v.tokens[key] = token
	}
	return map[string]projectedFile{filepath.Clean(source.Path): {data: []byte(token.value), mode: mode}}, nil
}

func fileMode(mode *int32) fs.FileMode {
	if mode == nil {
		return defaultFileMode
	}
	return fs.FileMode(*mode) & fs.ModePerm // #nosec G115 -- Validated by the API server.
}
