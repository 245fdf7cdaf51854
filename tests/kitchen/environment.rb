# What kitchen.yml makes of the environment; the head of that file says what may be in it.

require "json"
require "shellwords"
require "yaml"

module Environment
  USERS = { "vagrant" => "vagrant", "docker" => "kitchen" }.freeze

  # Where AVENTER and Docker have packages for EL 8 and 9; of Mesosphere there never were any.
  FORK = {
    "aventer" => {
      baseurl: "http://rpm.aventer.biz/CentOS/$releasever/$basearch/", gpgkey: "https://www.aventer.biz/assets/support_aventer.asc"
    },
    "docker-ce" => {
      baseurl: "https://download.docker.com/linux/centos/$releasever/$basearch/stable", gpgkey: "https://download.docker.com/linux/centos/gpg"
    }
  }.freeze

  module_function

  # A variable that is empty is none.
  def value(name, default = nil)
    ENV[name].to_s.empty? ? default : ENV[name]
  end

  def driver
    found = value("KITCHEN_DRIVER", "vagrant")
    raise "KITCHEN_DRIVER = #{found}: no such driver. Known: vagrant, docker, proxy." unless [*USERS.keys, "proxy"].include?(found)
    raise "KITCHEN_HOSTNAME is not set: the machine that proxy is to use." if found == "proxy" && !value("KITCHEN_HOSTNAME")

    found
  end

  def user
    USERS.fetch(driver) { value("KITCHEN_USERNAME", "root") }
  end

  # What else only a machine that is there has to be told.
  def proxy(name, default = nil)
    value(name, default) if driver == "proxy"
  end

  def sudo(word = "sudo")
    word unless user == "root"
  end

  def vault
    value("CENTOS_VAULT", value("MIRROR") ? "#{value('MIRROR')}/centos/7.9.2009" : "http://vault.centos.org/7.9.2009")
  end

  # The shell line that installs Salt, with the script in it: nothing is copied to the machine before.
  def install_salt
    options = { "-R" => value("SALT_REPO"), "-G" => value("SALT_KEY"), "-V" => vault }.compact.flatten
    words = ["sh", "-s", "--", *options, value("SALT_LINE", "3006")]
    "echo #{[File.read('conf/install-salt')].pack('m0')} | base64 --decode | #{[sudo, *words].compact.shelljoin}"
  end

  # The setting common:repositories of a platform.
  def repositories(platform, release)
    mirror = value("MIRROR")
    major = release[/\d+/]
    key = value("MIRROR_KEY", "#{mirror}/RPM-GPG-KEY-mesosphere")
    found = mirror ? { baseurl: "#{mirror}/el/#{major}", gpgkey: key, vault_gpgkey: value("SYSTEM_KEY") }.compact : {}
    if platform == "centos"
      found[:vault] = vault
    elsif mirror
      found[:vault] = "#{mirror}/#{platform}/#{release}"
      found[:extra] = { "docker-ce" => { baseurl: "#{mirror}/docker-ce/#{major}/$basearch/stable", gpgkey: key } }
    else
      found[:extra] = FORK
    end
    found.to_json
  end

  # A container has the clock and the firewall of the machine below it.
  def contained
    (driver == "docker" ? { time: { enabled: false }, firewall: { enabled: false } } : {}).to_json
  end
end
