// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	. "sigs.k8s.io/controller-runtime/pkg/envtest/komega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
)

const image = "example.org/testserver:v1"

var _ = Describe("Node", Ordered, ContinueOnFailure, func() {
	var (
		configMap *corev1.ConfigMap
		secret    *corev1.Secret
		claim     *corev1.PersistentVolumeClaim
		service   *corev1.Service
		headless  *corev1.Service
		pod       *corev1.Pod
	)

	BeforeAll(func() {
		SetClient(testClient)
		SetContext(ctx)

		configMap = &corev1.ConfigMap{ObjectMeta: object("config"), Data: map[string]string{"file": "one", "color": "blue"}}
		secret = &corev1.Secret{ObjectMeta: object("secret"), StringData: map[string]string{"password": "hidden"}}
		claim = &corev1.PersistentVolumeClaim{ObjectMeta: object("data"), Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}
		service = testService("server", "")
		headless = testService("headless", corev1.ClusterIPNone)
		pod = serverPod("server")

		for _, created := range []client.Object{configMap, claim, service, headless, pod} {
			Expect(testClient.Create(ctx, created)).To(Succeed())
		}
	})

	It("should wait for missing objects of volumes and say so", func() {
		Eventually(Object(pod)).Should(HaveField("Status.ContainerStatuses", ConsistOf(HaveField("State.Waiting", And(
			HaveField("Reason", "PodInitializing"),
		)))))
		Eventually(Object(pod)).Should(HaveField("Status.InitContainerStatuses", ConsistOf(HaveField("State.Waiting", And(
			HaveField("Reason", "ContainerCreating"),
			HaveField("Message", ContainSubstring(`Secret "secret" not found`)),
		)))))
		Eventually(ObjectList(&corev1.EventList{}, client.InNamespace(testNamespace))).Should(HaveField("Items", ContainElement(And(
			HaveField("Reason", "FailedMount"), HaveField("InvolvedObject.Name", pod.Name),
		))))
	})

	It("should run the containers when all objects exist", func() {
		Expect(testClient.Create(ctx, secret)).To(Succeed())
		eventuallyReady(pod)
		Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
		Expect(pod.Status.PodIP).To(HavePrefix("198.18.103."))
		Expect(pod.Status.HostIP).To(Equal(node.ControlPlaneIP(clusterIndex)))
		Expect(pod.Status.InitContainerStatuses[0].State.Terminated).To(HaveField("Reason", "Completed"))
		Expect(currentNode.Processes()).To(ConsistOf(And(HaveField("Pod", "server"), HaveField("Container", "server"), HaveField("PID", BeNumerically(">", 1)))))
		Expect(filepath.Join(directory, "logs", "test", "test_server_server.log")).To(BeAnExistingFile())
	})

	It("should give the container what its specification says", func() {
		Expect(ask(pod, "/args", "")).To(Equal("/bin/testserver\nserve\n:8080\nblue server $(UNKNOWN) $(COLOR)"))
		Expect(ask(pod, "/env", "POD_IP")).To(Equal(pod.Status.PodIP))
		Expect(ask(pod, "/env", "PASSWORD")).To(Equal("hidden"))
		Expect(ask(pod, "/env", "CONFIG_color")).To(Equal("blue"))
		Expect(ask(pod, "/env", "MEMORY")).To(Equal("64"))
		Expect(ask(pod, "/hostname", "")).To(Equal("zero"))
		Expect(ask(pod, "/read", "/etc/config/file")).To(Equal("one"))
		Expect(ask(pod, "/read", "/etc/single")).To(Equal("one"))
		Expect(ask(pod, "/read", "/projected/password")).To(Equal("hidden"))
		Expect(ask(pod, "/read", "/projected/labels")).To(HavePrefix(`app="server"`))
		Expect(ask(pod, "/read", "/data/init")).To(Equal("initialized"))
		Expect(ask(pod, "/read", "/var/run/secrets/kubernetes.io/serviceaccount/namespace")).To(Equal(testNamespace))
		Expect(strings.Split(ask(pod, "/read", "/var/run/secrets/kubernetes.io/serviceaccount/token"), ".")).To(HaveLen(3))
		Expect(ask(pod, "/list", "/etc/config/[a-z]*")).To(Equal("/etc/config/color\n/etc/config/file"))
		Expect(ask(pod, "/list", "/*")).NotTo(ContainSubstring("/home"))
	})

	It("should protect what is read-only", func() {
		Expect(tryAsk(pod, "/touch", "/file")).To(ContainSubstring("read-only file system"))
		Expect(tryAsk(pod, "/touch", "/tmp/file")).To(ContainSubstring("read-only file system"))
		Expect(tryAsk(pod, "/touch", "/etc/config/new")).To(ContainSubstring("read-only file system"))
		Expect(tryAsk(pod, "/touch", "/bin/testserver")).To(ContainSubstring("read-only file system"))
		Expect(ask(pod, "/touch", "/scratch/file")).To(BeEmpty())
	})

	It("should update the files of a changed ConfigMap", func() {
		Eventually(Update(configMap, func() { configMap.Data = map[string]string{"file": "two"} })).Should(Succeed())
		Eventually(func() string { return tryAsk(pod, "/read", "/etc/config/file") }).WithTimeout(3 * time.Second).Should(Equal("two"))
		Expect(ask(pod, "/list", "/etc/config/[a-z]*")).To(Equal("/etc/config/file"))
		Expect(ask(pod, "/read", "/etc/single")).To(Equal("one"), "a subPath is not updated")
	})

	It("should resolve names", func() {
		Expect(ask(pod, "/resolve", "server")).To(Equal(service.Spec.ClusterIP))
		Expect(ask(pod, "/resolve", "server.test.svc")).To(Equal(service.Spec.ClusterIP))
		Eventually(func() string { return tryAsk(pod, "/resolve", "headless.test.svc.cluster.local") }).Should(Equal(pod.Status.PodIP))
		Eventually(func() string { return tryAsk(pod, "/resolve", "zero.headless.test.svc.cluster.local") }).Should(Equal(pod.Status.PodIP))
		Expect(ask(pod, "/resolve", "a.ingress.example.org")).To(Equal(node.GatewayIP(clusterIndex)))
		Expect(ask(pod, "/resolve", "localhost")).To(ContainSubstring("127.0.0.1"))
		Expect(tryAsk(pod, "/resolve", "unknown.example.org")).To(ContainSubstring("no such host"))
	})

	It("should forward connections to services", func() {
		Eventually(func() string { return tryAsk(pod, "/get", "http://server.test.svc/ready") }).Should(Equal("ready"))
		Expect(ask(pod, "/get", "http://localhost:8080/ready")).To(Equal("ready"))
		Expect(tryAsk(pod, "/get", "https://kubernetes.default.svc/")).To(ContainSubstring("certificate"))
	})

	It("should restart a container that ends", func() {
		Expect(ask(pod, "/exit", "3")).To(BeEmpty())
		Eventually(Object(pod)).Should(HaveField("Status.ContainerStatuses", ConsistOf(And(
			HaveField("RestartCount", int32(1)),
			HaveField("LastTerminationState.Terminated.ExitCode", int32(3)),
			HaveField("Ready", true),
		))))
		eventuallyReady(pod)
	})

	It("should refuse connections to a service without ready endpoints and restart a container whose liveness probe fails", func() {
		unready := serverPod("unready")
		unready.Labels = map[string]string{"app": "unready"}
		unready.Spec = corev1.PodSpec{TerminationGracePeriodSeconds: new(int64(1)), Containers: []corev1.Container{{
			Name: "server", Image: image, Args: []string{"serve", ":8080"},
			LivenessProbe:  &corev1.Probe{ProbeHandler: probe("/missing"), PeriodSeconds: 1, FailureThreshold: 2},
			ReadinessProbe: &corev1.Probe{ProbeHandler: probe("/missing"), PeriodSeconds: 1},
		}}}
		unreadyService := testService("unready", "")
		Expect(testClient.Create(ctx, unready)).To(Succeed())
		Expect(testClient.Create(ctx, unreadyService)).To(Succeed())
		Eventually(Object(unready)).Should(HaveField("Status.ContainerStatuses", ConsistOf(And(
			HaveField("RestartCount", BeNumerically(">", 0)),
			HaveField("Ready", false),
			HaveField("LastTerminationState.Terminated.Message", ContainSubstring("liveness probe failed")),
		))))
		Expect(tryAsk(pod, "/get", "http://unready.test.svc/ready")).To(ContainSubstring("connection refused"))
		Expect(testClient.Delete(ctx, unready)).To(Succeed())
		Eventually(Get(unready)).Should(MatchError(ContainSubstring("not found")))
	})

	It("should keep volumes and restart containers when the node is restarted", func() {
		Expect(ask(pod, "/touch", "/data/kept")).To(BeEmpty())
		Expect(Get(pod)()).To(Succeed())
		before := pod.Status.ContainerStatuses[0].RestartCount
		currentNode.stop()
		currentNode = startNode()
		Eventually(Object(pod)).Should(HaveField("Status.ContainerStatuses", ConsistOf(And(
			HaveField("RestartCount", before+1), HaveField("Ready", true),
			HaveField("LastTerminationState.Terminated.Reason", "ContainerStatusUnknown"),
		))))
		eventuallyReady(pod)
		Expect(ask(pod, "/list", "/data/*")).To(Equal("/data/init\n/data/kept"))
		Expect(ask(pod, "/list", "/scratch/*")).To(Equal("/scratch/file"))
	})

	It("should complete pods that are not restarted", func() {
		for exitArgs, phase := range map[string]corev1.PodPhase{"write": corev1.PodSucceeded, "fail": corev1.PodFailed} {
			job := serverPod("job-" + exitArgs)
			job.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
				Name: "job", Image: image, Args: []string{exitArgs, "/tmp/file", "content"},
			}}}
			Expect(testClient.Create(ctx, job)).To(Succeed())
			Eventually(Object(job)).Should(HaveField("Status.Phase", phase))
			Expect(testClient.Delete(ctx, job)).To(Succeed())
			Eventually(Get(job)).Should(MatchError(ContainSubstring("not found")))
		}
	})

	It("should say that it does not have an image", func() {
		other := serverPod("other")
		other.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "other", Image: "example.org/other:v1"}}}
		Expect(testClient.Create(ctx, other)).To(Succeed())
		Eventually(Object(other)).Should(HaveField("Status.ContainerStatuses", ConsistOf(HaveField("State.Waiting.Reason", "ErrImagePull"))))
		Expect(testClient.Delete(ctx, other)).To(Succeed())
	})

	It("should end and remove deleted pods and their volumes", func() {
		persistentVolume := &corev1.PersistentVolume{}
		Expect(Get(claim)()).To(Succeed())
		persistentVolume.Name = claim.Spec.VolumeName
		volumeDirectory := filepath.Join(directory, "state", "test", "volumes", claim.Spec.VolumeName)
		Expect(filepath.Join(volumeDirectory, "init")).To(BeAnExistingFile())

		Expect(testClient.Delete(ctx, pod)).To(Succeed())
		Eventually(Get(pod)).WithTimeout(10 * time.Second).Should(MatchError(ContainSubstring("not found")))
		Eventually(currentNode.Processes).Should(BeEmpty())
		log, err := os.ReadFile(filepath.Join(directory, "logs", "test", "test_server_server.log"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(log)).To(HaveSuffix("terminating\n"))

		Expect(testClient.Delete(ctx, claim)).To(Succeed())
		Eventually(Get(persistentVolume)).Should(MatchError(ContainSubstring("not found")))
		Expect(volumeDirectory).NotTo(BeADirectory())
		Eventually(func() ([]os.DirEntry, error) {
			return os.ReadDir(filepath.Join(directory, "state", "test", "pods"))
		}).Should(BeEmpty())
	})
})

func object(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: testNamespace, Name: name, Labels: map[string]string{"app": name}}
}

func probe(path string) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080)}}
}

func testService(name, clusterIP string) *corev1.Service {
	app := name
	if clusterIP != "" {
		app = "server"
	}
	return &corev1.Service{ObjectMeta: object(name), Spec: corev1.ServiceSpec{
		ClusterIP: clusterIP,
		Selector:  map[string]string{"app": app},
		Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}}
}

func serverPod(name string) *corev1.Pod {
	keyRef := corev1.LocalObjectReference{Name: "config"}
	return &corev1.Pod{ObjectMeta: object(name), Spec: corev1.PodSpec{
		Hostname:  "zero",
		Subdomain: "headless",
		InitContainers: []corev1.Container{{
			Name: "init", Image: image, Command: []string{"testserver"}, Args: []string{"write", "/data/init", "initialized"},
			VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
		}},
		Containers: []corev1.Container{{
			Name: "server", Image: image,
			Args:    []string{"serve", ":8080", "$(COLOR) $(NAME) $(UNKNOWN) $$(COLOR)"},
			Ports:   []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			EnvFrom: []corev1.EnvFromSource{{Prefix: "CONFIG_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: keyRef}}},
			Env: []corev1.EnvVar{
				{Name: "COLOR", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: keyRef, Key: "color", Optional: new(true)}}},
				{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "secret"}, Key: "password"}}},
				{Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
				{Name: "MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory", Divisor: resource.MustParse("1Mi")}}},
			},
			Resources:       corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}},
			SecurityContext: &corev1.SecurityContext{ReadOnlyRootFilesystem: new(true)},
			StartupProbe:    &corev1.Probe{ProbeHandler: probe("/ready"), PeriodSeconds: 1, FailureThreshold: 30},
			ReadinessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}, PeriodSeconds: 1},
			LivenessProbe:   &corev1.Probe{ProbeHandler: probe("/ready"), PeriodSeconds: 1},
			VolumeMounts: []corev1.VolumeMount{
				{Name: "config", MountPath: "/etc/config"},
				{Name: "config", MountPath: "/etc/single", SubPath: "file"},
				{Name: "projected", MountPath: "/projected"},
				{Name: "scratch", MountPath: "/scratch"},
				{Name: "data", MountPath: "/data"},
			},
		}},
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: keyRef}}},
			{Name: "projected", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "secret"}}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}},
			}}}},
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		},
	}}
}

func eventuallyReady(pod *corev1.Pod) {
	GinkgoHelper()
	Eventually(Object(pod)).Should(HaveField("Status.Conditions", ContainElement(And(
		HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue),
	))))
	Expect(Get(pod)()).To(Succeed())
}

// ask queries the server in a pod.
func ask(pod *corev1.Pod, path, query string) string {
	GinkgoHelper()
	status, body, err := request(pod, path, query)
	Expect(err).NotTo(HaveOccurred())
	Expect(status).To(Equal(http.StatusOK), body)
	return body
}

// tryAsk is like ask, but also returns failures.
func tryAsk(pod *corev1.Pod, path, query string) string {
	_, body, err := request(pod, path, query)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(body)
}

func request(pod *corev1.Pod, path, query string) (int, string, error) {
	httpClient := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := httpClient.Get("http://" + pod.Status.PodIP + ":8080" + path + "?q=" + url.QueryEscape(query))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
