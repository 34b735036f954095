{{- /*
SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors

SPDX-License-Identifier: Apache-2.0
*/ -}}
{{- /* The deployments for the garden runtime cluster and for the seed may run in the same cluster. */ -}}
{{- define "name" -}}
{{- if .Values.gardener.runtimeCluster.enabled -}}
gardener-extension-otel-federation-runtime
{{- else -}}
gardener-extension-otel-federation
{{- end -}}
{{- end -}}

{{- define "class" -}}
{{- if .Values.gardener.runtimeCluster.enabled -}}
garden
{{- else -}}
seed
{{- end -}}
{{- end -}}

{{- define "leaderElectionID" -}}
{{ include "name" . }}-leader-election
{{- end -}}

{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "config" -}}
apiVersion: otel-federation.extensions.gardener.cloud/v1alpha1
kind: ControllerConfiguration
{{- with .Values.config }}
{{ toYaml . }}
{{- end }}
{{- end -}}
